// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A prober is one run of Probe. Requests are told apart by their sequence number,
// which is an index of targets.
type prober struct {
	id    uint16
	nonce uint64
	pace  *pace
	// conns are ICMP and ICMPv6; nil where it is not needed, or not to be had.
	conns [2]netstate.ICMPConn

	mu      sync.Mutex
	targets []target
	groups  []group
	byProbe map[netip.Addr]int // probed address → index of groups
	passing bool               // somebody is asked in passing
	sent    time.Time          // when the last request of the first round left
	heeds   bool               // answers are waited for
	waiting int                // groups that are waited for
	done    chan struct{}      // closed when waiting comes to zero
}

// A target is an address that is asked.
type target struct {
	addr  netip.Addr
	group int
	also  bool             // only asked when the group was silent
	sent  [tries]time.Time // zero: not sent
}

// A group is what all peers with one probed address share. It has one target or,
// where the address is a guess, several.
type group struct {
	state   State
	rtt     time.Duration
	by      netip.Addr
	why     string
	sent    int   // requests
	mute    bool  // there is no socket to ask by
	links   []int // the devices by which an answer may come in; nil: all but lo
	passing bool  // see ProbeOptions
	waiting bool
}

func newProber(peers []Peer, opt ProbeOptions) *prober {
	p := &prober{
		id:      uint16(rand.Uint32()),
		nonce:   rand.Uint64(),
		pace:    newPace(opt.PerSecond, opt.Spent),
		heeds:   opt.Wait > 0,
		byProbe: make(map[netip.Addr]int, len(peers)),
	}
	for i, peer := range peers {
		if !peer.Probed.IsValid() {
			continue
		}
		if at, ok := p.byProbe[peer.Probed]; ok {
			p.groups[at].links = either(p.groups[at].links, peer.Links)
			continue
		}
		if len(p.targets) >= maxTargets-maxAlso {
			continue
		}
		p.byProbe[peer.Probed] = len(p.groups)
		p.addTarget(peer.Probed, false)
		if opt.RetryAfter > 0 {
			for _, addr := range peer.Also[:min(len(peer.Also), maxAlso)] {
				p.addTarget(addr, true)
			}
		}
		passing := i >= len(peers)-opt.Passing
		p.groups = append(p.groups, group{passing: passing, links: peer.Links})
		p.passing = p.passing || passing
	}
	return p
}

// either joins the devices of two peers with one address. None stands for any.
func either(a, b []int) []int {
	if a == nil || b == nil {
		return nil
	}
	return slices.Concat(a, b)
}

// cameOver reports whether a message that came in by a device has come over a tunnel of
// the group. What the node sent to itself comes in by lo; a container of this node,
// whatever address it writes into a packet, sends by the device that leads to it.
func (g *group) cameOver(link int) bool {
	return link != netstate.Loopback && (link == 0 || g.links == nil || slices.Contains(g.links, link))
}

// maxAlso bounds what a peer whose address is a guess costs in packets.
const maxAlso = 2

// addTarget adds an address of the group that comes next.
func (p *prober) addTarget(addr netip.Addr, also bool) {
	p.targets = append(p.targets, target{addr: addr.Unmap(), group: len(p.groups), also: also})
}

func (p *prober) needs(six bool) bool {
	for _, t := range p.targets {
		if t.addr.Is6() == six {
			return true
		}
	}
	return false
}

func (p *prober) conn(addr netip.Addr) netstate.ICMPConn {
	if addr.Is6() {
		return p.conns[1]
	}
	return p.conns[0]
}

// each calls f with each socket, and whether it is of ICMPv6.
func (p *prober) each(f func(conn netstate.ICMPConn, six bool)) {
	for six, conn := range p.conns {
		if conn != nil {
			f(conn, six == 1)
		}
	}
}

// cannotAsk notes of a whole family why nobody is asked.
func (p *prober) cannotAsk(six bool, err error) {
	for _, t := range p.targets {
		if t.addr.Is6() == six && !t.also {
			p.groups[t.group].mute, p.groups[t.group].why = true, err.Error()
		}
	}
}

// stop ends whatever waits for a socket.
func (p *prober) stop() {
	p.each(func(conn netstate.ICMPConn, _ bool) { _ = conn.SetDeadline(time.Unix(1, 0)) })
}

// close gives the sockets back.
func (p *prober) close() {
	p.each(func(conn netstate.ICMPConn, _ bool) { _ = conn.Close() })
}
