// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"
	"time"
)

// Warmth is what is known after a look.
type Warmth struct {
	Quiet     bool // nothing needed to be done, and nothing else was looked at
	Peers     int  // who could be asked
	Confirmed int  // who answered, not too long ago
	Asked     int  // who was asked just now
	Cold      []Cold
}

// Cold is a peer that did not answer when it was asked last.
type Cold struct {
	Peer Peer
	Record
}

// warmth sums up what is known of the peers.
func (k Known) warmth(peers []Peer, now time.Time, interval time.Duration) Warmth {
	var w Warmth
	for _, p := range peers {
		if !p.Probed.IsValid() {
			continue
		}
		w.Peers++
		r, ok := k.Peers[p.Probed]
		if r.confirmed(now, interval) {
			w.Confirmed++
		} else if ok {
			w.Cold = append(w.Cold, Cold{Peer: p, Record: r})
		}
	}
	return w
}

// Select gives the peers of a table behind devices of some kinds, and with them
// those of which no more is known than an address.
func Select(table Table, kinds []string, extra []netip.Addr) []Peer {
	var peers []Peer
	for _, p := range table.Peers {
		if slices.Contains(kinds, p.Kind) {
			peers = append(peers, p)
		}
	}
	for _, addr := range extra {
		peers = append(peers, Peer{Probed: addr})
	}
	return peers
}
