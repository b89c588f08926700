// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"time"
)

// Of gives what is known of a peer; the zero Record where that is nothing. What is
// known of another node that had its tunnel address counts for nothing.
func (k Known) Of(p Peer) Record {
	r := k.Peers[p.Probed]
	if !r.of(p) {
		return Record{}
	}
	return r
}

// of reports whether the record may be of the peer: the kernel does not always say
// who has an address.
func (r Record) of(p Peer) bool {
	return !r.Outer.IsValid() || !p.Outer.IsValid() || r.Outer == p.Outer
}

// asked gives the record of a peer that is asked now, and has not answered.
func (r Record) asked(p Peer, now time.Time) Record {
	r.Asked = now
	r.Misses++
	if p.Outer.IsValid() {
		r.Outer = p.Outer
	}
	return r
}

// heard gives the record with what came of that. Who was not waited for may have
// answered.
func (r Record) heard(a Answer, now time.Time) Record {
	r.State, r.By, r.Why = a.State, a.By, a.Why
	switch {
	case a.State.Confirms():
		r.Confirmed, r.Misses, r.RTT = now, 0, a.RTT
	case a.Why == unheeded:
		r.Misses--
	}
	return r
}

// asking notes that peers are about to be asked, before they are: a process that
// is killed must not have the next one ask all of them again.
func (k *Known) asking(peers []Peer, now time.Time) {
	for _, p := range peers {
		k.Peers[p.Probed] = k.Of(p).asked(p, now)
	}
	k.Spent = k.Spent.and(len(peers), now)
}

// learn notes what came of it. before is what was known of those who were not
// asked after all, and stays true.
func (k *Known) learn(answers []Answer, before map[netip.Addr]Record, now time.Time) {
	for _, a := range answers {
		addr := a.Peer.Probed
		if !a.unasked() {
			k.Peers[addr] = k.Peers[addr].heard(a, now)
		} else if r, ok := before[addr]; ok {
			k.Peers[addr] = r
		} else {
			delete(k.Peers, addr)
		}
	}
}

// unasked reports whether nothing was sent to the peer, so that there is nothing to
// learn.
func (a Answer) unasked() bool { return a.State == Unprobed && a.Why != unheeded }

// packets gives how many requests the answers took.
func packets(answers []Answer) int {
	n := 0
	for _, a := range answers {
		n += a.Sent
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
