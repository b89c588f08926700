// SPDX-License-Identifier: Apache-2.0

package tunnel

// expect begins a round: it marks the groups that are to be waited for, and gives
// what is closed when none of them is left.
func (p *prober) expect(t try) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = make(chan struct{})
	p.waiting = 0
	for i := range p.groups {
		g := &p.groups[i]
		p.expectGroup(g, !g.mute && !g.passing && !g.state.Confirms() && (t == first || g.state != Unprobed))
	}
	return p.expected()
}

// expectPassing does so for those that were asked in passing.
func (p *prober) expectPassing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = make(chan struct{})
	p.waiting = 0
	for i := range p.groups {
		g := &p.groups[i]
		p.expectGroup(g, g.passing && g.state == Silent)
	}
	return p.expected()
}

func (p *prober) expectGroup(g *group, waiting bool) {
	g.waiting = waiting
	if waiting {
		p.waiting++
	}
}

func (p *prober) expected() <-chan struct{} {
	if p.waiting == 0 {
		close(p.done)
	}
	return p.done
}

// settle ends the waiting for a group. The caller holds the lock.
func (p *prober) settle(g *group) {
	if !g.waiting {
		return
	}
	g.waiting = false
	if p.waiting--; p.waiting == 0 {
		close(p.done)
	}
}

// settleIdle ends the waiting for groups of which no request is under way.
func (p *prober) settleIdle(t try) {
	p.mu.Lock()
	defer p.mu.Unlock()
	underWay := make([]bool, len(p.groups))
	for i := range p.targets {
		target := &p.targets[i]
		earlier := !target.sent[first].IsZero() && p.groups[target.group].state == Silent
		underWay[target.group] = underWay[target.group] || earlier || !target.sent[t].IsZero()
	}
	for i := range p.groups {
		if !underWay[i] {
			p.settle(&p.groups[i])
		}
	}
}
