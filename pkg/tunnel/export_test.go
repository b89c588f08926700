// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Steps returns how many entries and lookups Enumerate needs for a dump.
func Steps(d netstate.TunnelDump) int {
	e := newEnumeration(d)
	for _, r := range d.Routes {
		e.addRoute(r)
	}
	for i := range e.endpoints {
		e.peer(&e.endpoints[i])
	}
	return e.steps
}

// BoundDueTime returns when a Keeper that runs probes a peer that is due at a time.
func BoundDueTime(interval time.Duration, next, now time.Time) time.Time {
	p := &trackedPeer{next: next}
	k := &Keeper{Interval: interval, peers: []*trackedPeer{p}}
	k.boundDueTimes(now)
	return p.next
}

// Renewals returns when a Keeper that runs probes a peer that always answers.
func Renewals(interval time.Duration, now time.Time, times int) []time.Time {
	k := &Keeper{Interval: interval, Log: slog.New(slog.DiscardHandler)}
	k.start()
	peer := Peer{Probed: netip.MustParseAddr("10.0.0.1")}
	var all []time.Time
	for range times {
		before := k.states.Of(peer)
		k.states.markProbed([]Peer{peer}, now)
		k.states.record([]ProbeResult{{Peer: peer, State: Answered, Sent: 1}}, nil, now)
		now = k.schedule.next(before, k.states.Of(peer))
		all = append(all, now)
	}
	return all
}

// Spend returns what is left of a budget after packets that leave now.
func Spend(b SendBudget, packets int, now time.Time) SendBudget { return b.spend(packets, now) }
