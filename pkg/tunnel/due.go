// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// patience is how long a peer that gave no answer is left alone, the first time.
// Each time after that it is twice as long.
const patience = 30 * time.Second

// terms are when a peer is to be asked again.
type terms struct {
	interval time.Duration // after an answer
	pause    time.Duration // after silence, at most
}

// due gives when a peer is to be asked again, and whether its answer is worth
// waiting for: one that has been silent will be so again.
func (r Record) due(t terms) (when time.Time, wait bool) {
	switch {
	case r.Asked.IsZero():
		return time.Time{}, true
	case r.Misses == 0 && r.Confirmed.After(r.Asked):
		return r.Confirmed.Add(t.interval), true
	case r.Misses == 0:
		return r.Asked.Add(t.interval), true
	}
	return r.Asked.Add(r.pause(patience, t.pause)), false
}

// pause gives how long a silent peer is left alone: at first so long, then twice as
// long each time, up to a bound.
func (r Record) pause(first, most time.Duration) time.Duration {
	return min(first<<min(max(r.Misses-1, 0), 16), most)
}

// confirmed reports whether the peer answered, the last time that it was asked, and
// not too long ago.
func (r Record) confirmed(now time.Time, interval time.Duration) bool {
	return r.Misses == 0 && !r.Confirmed.IsZero() && now.Sub(r.Confirmed) <= interval
}

// urgency orders those who are due: who was never asked, then who answered the last
// time, then who did not.
func (r Record) urgency() int {
	switch {
	case r.Asked.IsZero():
		return 0
	case r.Misses == 0:
		return 1
	}
	return 2
}

// A selection is whom to ask now.
type selection struct {
	peers   []Peer
	passing int // so many of them, the last ones, are not worth waiting for
}

// choose picks whom to ask of peers, at most so many (0: all), by urgency, and from
// a place in their order that is left to chance: nodes that come to more peers than
// they may ask must not all ask the same ones. Who is left over is due at the next
// look, when those who were asked are not.
func (k Known) choose(peers []Peer, now time.Time, t terms, most int) selection {
	var s selection
	if len(peers) == 0 {
		return s
	}
	from := rand.IntN(len(peers))
	for urgency := range 3 {
		for i := range peers {
			p := peers[(from+i)%len(peers)]
			r := k.Of(p)
			if when, _ := r.due(t); r.urgency() != urgency || when.After(now) || most > 0 && len(s.peers) >= most {
				continue
			}
			s.peers = append(s.peers, p)
			if urgency == 2 {
				s.passing++
			}
		}
	}
	return s
}

// nextDue gives when the next of the peers is to be asked, but later at the latest.
func (k Known) nextDue(peers []Peer, t terms, later time.Time) time.Time {
	for _, p := range peers {
		if when, _ := k.Of(p).due(t); when.Before(later) {
			later = when
		}
	}
	return later
}

// askable gives the peers that can be asked, one for each probed address: the first.
func askable(peers []Peer) []Peer {
	all := make([]Peer, 0, len(peers))
	seen := make(map[netip.Addr]bool, len(peers))
	for _, p := range peers {
		if p.Probed.IsValid() && !seen[p.Probed] {
			seen[p.Probed] = true
			all = append(all, p)
		}
	}
	return all
}
