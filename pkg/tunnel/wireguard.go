// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// addWireGuard adds the peers of WireGuard devices that have told theirs. The routes of a
// device say which of the addresses that a peer may have are reached through it; Cilium
// has none, as its BPF programs lead packets there.
func (e *enumeration) addWireGuard(all []netstate.WireGuard) {
	for _, w := range all {
		d := e.devices[w.Link]
		if d == nil || !d.keeps || !d.Up {
			continue
		}
		var allowed []netip.Prefix
		routed := newPrefixes(d.routed)
		for _, p := range w.Peers {
			blocks := e.routedBlocks(d, p, routed)
			allowed = append(allowed, blocks...)
			if len(blocks) > 0 {
				e.addPeer(d, p, blocks)
			}
		}
		e.addUnallowed(d, allowed)
	}
}

// routedBlocks returns the addresses of a peer that this node sends to it. Not its own
// addresses at the node, which encryption between nodes adds, and no default route: that
// is the peer of a VPN.
func (e *enumeration) routedBlocks(d *device, p netstate.WireGuardPeer, routed prefixes) []netip.Prefix {
	var blocks []netip.Prefix
	for _, block := range p.Allowed {
		e.steps++
		block = block.Masked()
		if block.Bits() == 0 || !isNodeAddr(block.Addr()) || block == single(p.Endpoint.Addr()) {
			continue
		}
		if strings.HasPrefix(d.Name, "cilium_") && len(d.routed) == 0 || routed.overlap(block) {
			blocks = append(blocks, block)
		}
	}
	return blocks
}

// addPeer adds a peer with its blocks, the widest of which decides where it is pinged.
func (e *enumeration) addPeer(d *device, p netstate.WireGuardPeer, blocks []netip.Prefix) {
	slices.SortStableFunc(blocks, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
	i := len(e.endpoints)
	end := endpoint{device: d, outer: p.Endpoint.Addr(), port: p.Endpoint.Port(), block: blocks[0], more: blocks[1:]}
	d.peers++
	for _, block := range blocks {
		if !end.gateway.IsValid() {
			end.gateway = d.gateways[block] // Kilo's is the address of the peer in the tunnel
		}
		e.byBlock[block] = i // of one device only one peer may have a block
		e.prefixLengths[block.Bits()] = true
	}
	e.endpoints = append(e.endpoints, end)
}

// addUnallowed finds the routes to blocks that no peer may have.
func (e *enumeration) addUnallowed(d *device, allowed []netip.Prefix) {
	known := newPrefixes(allowed)
	for _, block := range d.routed {
		e.steps++
		if !known.overlap(block) && !e.isOwnSubnet(d, block) {
			e.unallowed = append(e.unallowed, Unallowed{d.Name, block})
		}
	}
}

// A prefixes is a set of prefixes that finds one that overlaps with another without looking
// at each: there can be thousands of both.
type prefixes struct {
	sorted []netip.Prefix
	all    map[netip.Prefix]bool
}

func newPrefixes(list []netip.Prefix) prefixes {
	p := prefixes{slices.SortedFunc(slices.Values(list), netip.Prefix.Compare), make(map[netip.Prefix]bool, len(list))}
	for _, one := range list {
		p.all[one] = true
	}
	return p
}

// overlap reports whether one of the prefixes contains a masked one, or lies in it.
func (p prefixes) overlap(one netip.Prefix) bool {
	at, _ := slices.BinarySearchFunc(p.sorted, one, netip.Prefix.Compare)
	if at < len(p.sorted) && p.sorted[at].Overlaps(one) {
		return true
	}
	for bits := one.Bits() - 1; bits > 0; bits-- {
		if p.all[netip.PrefixFrom(one.Addr(), bits).Masked()] {
			return true
		}
	}
	return false
}
