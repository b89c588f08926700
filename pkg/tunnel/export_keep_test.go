// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"log/slog"
	"net/netip"
	"time"
)

// newAlone is a keeper of one peer, which is to be asked at a time.
func newAlone(interval time.Duration, next time.Time) (*Keeper, *kept) {
	p := &kept{peer: Peer{Probed: netip.MustParseAddr("10.0.0.1")}, next: next}
	k := &Keeper{Interval: interval, Log: slog.New(slog.DiscardHandler), peers: map[netip.Addr]*kept{p.peer.Probed: p}}
	return k, p
}

// Clamped gives when a keeper asks a peer that it was to ask at a time.
func Clamped(interval time.Duration, next, now time.Time) time.Time {
	k, p := newAlone(interval, next)
	k.clamp(now)
	return p.next
}

// Renewals gives when a peer is asked that answers each time that it is asked.
func Renewals(interval time.Duration, now time.Time, times int) []time.Time {
	k, p := newAlone(interval, time.Time{})
	var all []time.Time
	for range times {
		k.learn([]*kept{p}, []Answer{{Peer: p.peer, State: Answered, Sent: 1}}, now)
		all = append(all, p.next)
		now = p.next
	}
	return all
}

// MayHush reports whether the others are told once more, so long after the last time.
func MayHush(since time.Duration) bool {
	now := time.Now()
	k := &Keeper{hushed: now.Add(-since)}
	return k.mayHush(now)
}

// And gives what left shortly before, with packets that leave now.
func And(s Spent, packets int, now time.Time) Spent { return s.and(packets, now) }
