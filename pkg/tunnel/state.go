// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// PeerStates are the content of peers.json.
type PeerStates struct {
	BootID string `json:"bootID"`
	// Netns is the network namespace whose ADDs use the store, as ownNetns returns it;
	// "" before the first of them. A Keeper in another namespace has other peers.
	Netns  string                   `json:"netns,omitempty"`
	Budget SendBudget               `json:"spent"`
	Peers  map[netip.Addr]PeerState `json:"peers"` // by probed address
}

// A PeerState is what earlier probes of a peer showed. The zero PeerState is that of a
// peer that was never probed.
type PeerState struct {
	Outer      netip.Addr    `json:"outer,omitzero"`     // see Peer
	LastProbe  time.Time     `json:"asked"`              // when the last probe began
	LastAnswer time.Time     `json:"confirmed,omitzero"` // zero: it never answered
	Misses     int           `json:"misses,omitempty"`   // probes without an answer since the last answer
	State      State         `json:"state"`              // of the last probe
	RTT        time.Duration `json:"rttNanos,omitempty"` // of the last answer
	By         netip.Addr    `json:"by,omitzero"`        // see ProbeResult
	Reason     string        `json:"why,omitempty"`      // see ProbeResult
}

// Of returns the state of a peer; the zero PeerState if it is unknown. The state of
// another node that had its tunnel address before is not its own.
func (s PeerStates) Of(p Peer) PeerState {
	state := s.Peers[p.Probed]
	if !state.mayBeOf(p) {
		return PeerState{}
	}
	return state
}

// mayBeOf reports whether nothing shows that the state is another node's: the kernel does
// not always know the outer address.
func (s PeerState) mayBeOf(p Peer) bool {
	return !s.Outer.IsValid() || !p.Outer.IsValid() || s.Outer == p.Outer
}

// answered reports whether the last probe was answered, and not too long ago.
func (s PeerState) answered(now time.Time, interval time.Duration) bool {
	return s.Misses == 0 && !s.LastAnswer.IsZero() && now.Sub(s.LastAnswer) <= interval
}

// markProbed records that peers are about to be probed.
func (s *PeerStates) markProbed(peers []Peer, now time.Time) {
	for _, p := range peers {
		state := s.Of(p)
		state.LastProbe = now
		state.Misses++
		if p.Outer.IsValid() {
			state.Outer = p.Outer
		}
		s.Peers[p.Probed] = state
	}
	s.Budget = s.Budget.spend(len(peers), now)
}

// record records the results of probes. Peers that were not probed after all get back
// the state that they had before.
func (s *PeerStates) record(results []ProbeResult, before map[netip.Addr]PeerState, now time.Time) {
	for _, r := range results {
		if r.wasNotProbed() {
			s.restore(r.Peer.Probed, before)
			continue
		}
		state := s.Peers[r.Peer.Probed]
		state.State, state.By, state.Reason = r.State, r.By, r.Reason
		switch {
		case r.State.Confirms():
			state.LastAnswer, state.Misses, state.RTT = now, 0, r.RTT
		case r.Reason == reasonNotAwaited: // it may have answered
			state.Misses--
		}
		s.Peers[r.Peer.Probed] = state
	}
}

func (s *PeerStates) restore(addr netip.Addr, before map[netip.Addr]PeerState) {
	if state, ok := before[addr]; ok {
		s.Peers[addr] = state
	} else {
		delete(s.Peers, addr)
	}
}

// stored returns the states that the addresses of peers have, whosever they are.
func (s PeerStates) stored(peers []Peer) map[netip.Addr]PeerState {
	states := make(map[netip.Addr]PeerState, len(peers))
	for _, p := range peers {
		if state, ok := s.Peers[p.Probed]; ok {
			states[p.Probed] = state
		}
	}
	return states
}

// latest returns the states of at most n peers: of more, those that were probed last.
func (s PeerStates) latest(n int) map[netip.Addr]PeerState {
	if len(s.Peers) <= n {
		return s.Peers
	}
	addrs := slices.Collect(maps.Keys(s.Peers))
	slices.SortFunc(addrs, func(a, b netip.Addr) int {
		return cmp.Or(s.Peers[b].LastProbe.Compare(s.Peers[a].LastProbe), a.Compare(b))
	})
	latest := make(map[netip.Addr]PeerState, n)
	for _, addr := range addrs[:n] {
		latest[addr] = s.Peers[addr]
	}
	return latest
}

// A schedule says when a peer is probed again.
type schedule struct {
	interval   time.Duration // after an answer
	firstPause time.Duration // after a first probe without an answer; it doubles with each further one
	maxPause   time.Duration
	// margin is by how much a probe is earlier than that at most. Probes are spread by
	// chance then: nodes that started together must not probe together forever.
	margin time.Duration
}

// next returns when a peer is due; the zero Time: at once. before is the state before the
// last probe. The result has no monotonic part: while a machine is suspended, the other
// nodes' firewalls forget it all the same.
func (s schedule) next(before, state PeerState) time.Time {
	if state.LastProbe.IsZero() {
		return time.Time{}
	}
	latest := s.interval
	if state.Misses > 0 {
		latest = min(s.firstPause<<min(state.Misses-1, 16), s.maxPause)
	}
	earliest := latest
	if s.margin > 0 {
		earliest = latest * 3 / 4
		if state.Misses == 0 && before.LastAnswer.IsZero() {
			earliest = 0 // those of the first burst are spread over the whole interval
		}
		latest = min(latest, s.interval-s.margin)
		earliest += time.Duration(rand.Int64N(int64(max(0, latest-earliest)) + 1))
	}
	return state.LastProbe.Round(0).Add(earliest)
}
