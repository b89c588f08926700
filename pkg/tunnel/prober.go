// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A prober is one call of Probe. The sequence number of a request is an index of targets.
type prober struct {
	id    uint16
	nonce uint64
	bytes int // see ProbeOptions
	pacer *pacer
	// conns are ICMP and ICMPv6; nil if not needed or not available.
	conns [2]netstate.ICMPConn

	mu            sync.Mutex
	targets       []target
	groups        []group
	byProbed      map[netip.Addr]int // index of groups
	refusals      map[carried]Refusal
	opportunistic bool          // some groups are
	sent          time.Time     // when the last request of the first round left
	awaits        bool          // answers are awaited
	waiting       int           // groups whose answer is outstanding
	done          chan struct{} // closed when waiting becomes zero
}

// A target is an address that gets requests.
type target struct {
	addr        netip.Addr
	group       int
	alternative bool                // gets a request only after its group was silent
	sent        [attempts]time.Time // zero: not sent
}

// A group is the peers that share a probed address. It has one target, and one for each
// alternative address.
type group struct {
	state         State
	rtt           time.Duration
	by            netip.Addr
	reason        string
	sent          int   // requests
	noSocket      bool  // there is none for the family
	links         []int // the devices on which an answer may arrive; nil: all but lo
	opportunistic bool  // see ProbeOptions
	waiting       bool
}

const (
	// maxTargets is how many requests the 16 bits of a sequence number tell apart.
	maxTargets = 1 << 16
	// maxAlternativeProbes bounds what a peer costs whose address is a guess.
	maxAlternativeProbes = 2
)

func newProber(peers []Peer, opt ProbeOptions) *prober {
	p := &prober{
		id:       uint16(rand.Uint32()),
		nonce:    rand.Uint64(),
		pacer:    newPacer(opt.PerSecond, opt.Budget),
		awaits:   opt.Wait > 0,
		bytes:    opt.Bytes,
		byProbed: make(map[netip.Addr]int, len(peers)),
		refusals: map[carried]Refusal{},
	}
	for i, peer := range peers {
		if !peer.Probed.IsValid() {
			continue
		}
		if at, ok := p.byProbed[peer.Probed]; ok {
			g := &p.groups[at]
			if g.links == nil || peer.Links == nil { // nil stands for any device
				g.links = nil
			} else {
				g.links = slices.Concat(g.links, peer.Links)
			}
			continue
		}
		if len(p.targets) >= maxTargets-maxAlternativeProbes {
			continue
		}
		p.byProbed[peer.Probed] = len(p.groups)
		p.addTarget(peer.Probed, false)
		if opt.RetryAfter > 0 {
			for _, addr := range peer.Also[:min(len(peer.Also), maxAlternativeProbes)] {
				p.addTarget(addr, true)
			}
		}
		opportunistic := i >= len(peers)-opt.Opportunistic
		p.groups = append(p.groups, group{opportunistic: opportunistic, links: peer.Links})
		p.opportunistic = p.opportunistic || opportunistic
	}
	return p
}

// addTarget adds an address of the next group.
func (p *prober) addTarget(addr netip.Addr, alternative bool) {
	p.targets = append(p.targets, target{addr: addr.Unmap(), group: len(p.groups), alternative: alternative})
}

// open opens a socket for each family of the targets.
func (p *prober) open(open Opener) error {
	var errs []error
	opened := false
	for i, six := range [...]bool{false, true} {
		if !slices.ContainsFunc(p.targets, func(t target) bool { return t.addr.Is6() == six }) {
			continue
		}
		conn, err := open(six)
		if err == nil && p.bytes > 0 {
			if err = conn.ForbidFragments(); err != nil {
				conn.Close()
			}
		}
		if err == nil {
			p.conns[i], opened = conn, true
			continue
		}
		errs = append(errs, err)
		for _, t := range p.targets {
			if t.addr.Is6() == six && !t.alternative {
				p.groups[t.group].noSocket, p.groups[t.group].reason = true, err.Error()
			}
		}
	}
	if opened {
		return nil
	}
	return errors.Join(errs...)
}

func (p *prober) conn(addr netip.Addr) netstate.ICMPConn {
	if addr.Is6() {
		return p.conns[1]
	}
	return p.conns[0]
}

// each calls f with each socket, and whether it is for ICMPv6.
func (p *prober) each(f func(conn netstate.ICMPConn, six bool)) {
	for i, conn := range p.conns {
		if conn != nil {
			f(conn, i == 1)
		}
	}
}

// stop ends all calls that wait for a socket.
func (p *prober) stop() {
	p.each(func(conn netstate.ICMPConn, _ bool) { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

func (p *prober) close() {
	p.each(func(conn netstate.ICMPConn, _ bool) { _ = conn.Close() })
}

// accepts reports whether an answer that arrived on a device came through a tunnel of
// the group. What the node sends to itself arrives on lo. A container of this node,
// whatever address it writes into a packet, sends through the device that leads to it.
func (g *group) accepts(link int) bool {
	return link != netstate.Loopback && (link == 0 || g.links == nil || slices.Contains(g.links, link))
}

// expect starts a round: it marks the groups whose answers are awaited. The channel is
// closed when none of them is outstanding.
func (p *prober) expect(n attempt) <-chan struct{} {
	return p.expectGroups(func(g *group) bool {
		return !g.noSocket && !g.opportunistic && !g.state.Confirms() && (n == first || g.state != Unprobed)
	})
}

// expectOpportunistic marks the opportunistic groups that got a request.
func (p *prober) expectOpportunistic() <-chan struct{} {
	return p.expectGroups(func(g *group) bool { return g.opportunistic && g.state == Silent })
}

func (p *prober) expectGroups(awaited func(*group) bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = make(chan struct{})
	p.waiting = 0
	for i := range p.groups {
		g := &p.groups[i]
		if g.waiting = awaited(g); g.waiting {
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

// settleIdle ends the waiting for groups without an outstanding request.
func (p *prober) settleIdle(n attempt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	outstanding := make([]bool, len(p.groups))
	for i := range p.targets {
		t := &p.targets[i]
		earlier := !t.sent[first].IsZero() && p.groups[t.group].state == Silent
		outstanding[t.group] = outstanding[t.group] || earlier || !t.sent[n].IsZero()
	}
	for i := range p.groups {
		if !outstanding[i] {
			p.settle(&p.groups[i])
		}
	}
}

// results returns for each peer the result of its group.
func (p *prober) results(peers []Peer) []ProbeResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	results := make([]ProbeResult, len(peers))
	for i, peer := range peers {
		results[i] = ProbeResult{Peer: peer, Reason: reasonNoTime}
		if !peer.Probed.IsValid() {
			results[i].Reason = "no address of it is known that answers a ping"
		}
		if at, ok := p.byProbed[peer.Probed]; ok {
			if g := p.groups[at]; g.state != Unprobed || g.reason != "" {
				results[i] = ProbeResult{Carrier: p.refusals[carriedOf(peer)], Peer: peer, State: g.state, RTT: g.rtt, By: g.by, Reason: g.reason, Sent: g.sent}
				if g.state == Silent && !p.awaits {
					results[i].State, results[i].Reason = Unprobed, reasonNotAwaited
				}
			}
		}
	}
	return results
}
