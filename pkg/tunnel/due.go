// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"time"
)

// patience is how long a peer that gave no answer is left alone, the first time.
// Each time after that it is twice as long.
const patience = 30 * time.Second

// due gives when a peer is to be asked again, and whether its answer is worth
// waiting for: one that has been silent will be so again.
func (r Record) due(interval time.Duration) (when time.Time, wait bool) {
	switch {
	case r.Asked.IsZero():
		return time.Time{}, true
	case r.Misses == 0:
		return r.Confirmed.Add(interval), true
	}
	pause := patience << min(r.Misses-1, 16)
	return r.Asked.Add(min(pause, interval)), false
}

// confirmed reports whether the peer answered, the last time that it was asked, and
// not too long ago.
func (r Record) confirmed(now time.Time, interval time.Duration) bool {
	return r.Misses == 0 && !r.Confirmed.IsZero() && now.Sub(r.Confirmed) <= interval
}

// A selection is whom to ask now.
type selection struct {
	peers []Peer
	wait  bool      // for their answers
	next  time.Time // when somebody else is to be asked; the zero Time: never
}

// choose picks whom to ask of peers, at most so many (0: all): who was never asked,
// and then who is due, in their order. Who is left over is due at the next look,
// when those who were asked are not.
func (k Known) choose(peers []Peer, now time.Time, interval time.Duration, most int) selection {
	var s selection
	seen := make(map[netip.Addr]bool, len(peers))
	for _, asked := range [...]bool{false, true} {
		for _, p := range peers {
			r := k.Peers[p.Probed]
			if !p.Probed.IsValid() || seen[p.Probed] || asked == r.Asked.IsZero() {
				continue
			}
			seen[p.Probed] = true
			switch when, wait := r.due(interval); {
			case !when.After(now) && (most == 0 || len(s.peers) < most):
				s.peers = append(s.peers, p)
				s.wait = s.wait || wait
			case s.next.IsZero() || when.Before(s.next):
				s.next = when
			}
		}
	}
	return s
}

// asking notes that peers are about to be asked, before they are: a process that
// is killed must not have the next one ask all of them again.
func (k *Known) asking(peers []Peer, now time.Time) {
	for _, p := range peers {
		r := k.Peers[p.Probed]
		r.Asked = now
		r.Misses++
		k.Peers[p.Probed] = r
	}
	k.Spent = k.Spent.and(len(peers), now)
}

// learn notes what came of it. before is what was known of those who were not
// asked after all.
func (k *Known) learn(answers []Answer, before map[netip.Addr]Record, now time.Time) {
	for _, a := range answers {
		addr := a.Peer.Probed
		r := k.Peers[addr]
		if a.State == Unprobed && a.Why == noTime {
			r = before[addr]
			if r.Asked.IsZero() {
				delete(k.Peers, addr)
				continue
			}
		} else {
			r.State, r.By, r.Why = a.State, a.By, a.Why
		}
		if a.State.Confirms() {
			r.Confirmed, r.Misses, r.RTT = now, 0, a.RTT
		}
		k.Peers[addr] = r
	}
}

// packets gives how many requests the answers may have taken.
func packets(answers []Answer) int {
	n := 0
	for _, a := range answers {
		switch a.State {
		case Unprobed:
		case Answered:
			n++
		default: // asked again, and with it the others that may answer
			n += 2 + min(len(a.Peer.Also), maxAlso)
		}
	}
	return n
}

// before gives what is known of the peers.
func (k Known) before(peers []Peer) map[netip.Addr]Record {
	before := make(map[netip.Addr]Record, len(peers))
	for _, p := range peers {
		if r, ok := k.Peers[p.Probed]; ok {
			before[p.Probed] = r
		}
	}
	return before
}
