// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// expect begins a round: it marks the groups that are to be waited for, and gives
// what is closed when none of them is left.
func (p *prober) expect(t try) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = make(chan struct{})
	p.waiting = 0
	for i := range p.groups {
		g := &p.groups[i]
		g.waiting = !g.mute && !g.state.Confirms() && (t == first || g.state != Unprobed)
		if g.waiting {
			p.waiting++
		}
	}
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

// send sends the requests of a round, as far as pace and ctx let it.
func (p *prober) send(ctx context.Context, t try) {
	message := make([]byte, requestLen)
	for i := range p.targets {
		if !p.wants(i, t) {
			continue
		}
		if !p.pace.await(ctx) {
			return
		}
		p.sendOne(message, i, t)
	}
}

// wants reports whether a target is to be asked in this round.
func (p *prober) wants(i int, t try) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := &p.targets[i]
	return p.groups[target.group].waiting && p.conn(target.addr, t) != nil && (t == second || !target.also)
}

// sendOne asks one target. The moment is noted first: an answer may be faster
// than the way back from the system call.
func (p *prober) sendOne(message []byte, i int, t try) {
	p.mu.Lock()
	target := &p.targets[i]
	g := &p.groups[target.group]
	target.sent[t] = time.Now()
	if g.state == Unprobed {
		g.state, g.why = Silent, ""
	}
	p.mu.Unlock()

	p.request(message, target.addr, uint16(i), t)
	if err := p.conn(target.addr, t).Send(message, target.addr); err != nil {
		p.notSent(i, t, err)
	}
}

// notSent notes of a group what the kernel said instead of sending.
func (p *prober) notSent(i int, t try, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := &p.targets[i]
	g := &p.groups[target.group]
	target.sent[t] = time.Time{}
	if g.state.Confirms() || target.also || t == second {
		return
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
		g.state, g.by, g.why = Unprobed, netip.Addr{}, noTime
	case noWay(err):
		g.state, g.by, g.why = Unreachable, netip.Addr{}, reason(err)
	default:
		g.state, g.by, g.why = Unprobed, netip.Addr{}, "nothing was sent: "+reason(err)
	}
	p.settle(g)
}

// noWay tells errors that say something of the way from those that say something
// of this moment, or of a firewall on the way out.
func noWay(err error) bool {
	for _, errno := range []unix.Errno{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.EADDRNOTAVAIL, unix.EINVAL, unix.ENODEV, unix.ENXIO} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// reason gives the words of an error that people know.
func reason(err error) string {
	var errno unix.Errno
	switch {
	case errors.Is(err, unix.EPERM):
		return "operation not permitted; a firewall of this node drops what leaves"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "there is no address to send from; the family may be switched off"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}
