// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// Warmth is what is known after a look.
type Warmth struct {
	Quiet     bool // nothing needed to be done, and nothing else was looked at
	Peers     int  // who could be asked
	Confirmed int  // who answered, not too long ago
	Asked     int  // who was asked just now
	Cold      []Cold
}

// Cold is a peer that did not answer when it was asked last, and waited for.
type Cold struct {
	Peer Peer
	Record
}

// warmth sums up what is known of peers that can be asked.
func (k Known) warmth(peers []Peer, now time.Time, interval time.Duration) Warmth {
	var w Warmth
	for _, p := range peers {
		w.Peers++
		r := k.Of(p)
		if r.confirmed(now, interval) {
			w.Confirmed++
		} else if r.Misses > 0 {
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
		if !slices.ContainsFunc(peers, func(p Peer) bool { return p.Probed == addr }) {
			peers = append(peers, Peer{Probed: addr})
		}
	}
	return peers
}

// others leaves out the addresses of this node, which always answer: those that its
// tunnels have, and those that local, which may be nil, knows of.
func others(addrs []netip.Addr, d netstate.TunnelDump, local func(netip.Addr) bool) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(addr netip.Addr) bool {
		return addr.IsLoopback() || local != nil && local(addr) || slices.ContainsFunc(d.Links, func(l netstate.TunnelLink) bool {
			return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
		})
	})
}
