// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"
)

// alternatives bounds how many addresses a peer is given beside the first.
const alternatives = 3

// peer tells what to ping. The gateway of a tunnel that carries Ethernet is the
// address of the far device. Others name no inner address; there it is guessed,
// as network plugins number their tunnels:
//
//   - flannel: the first address of the block (EnsureV4AddressOnLink of the lease)
//   - Calico, its own IPAM: an address that IPAM gave at the start of the node, so
//     mostly the first of its first block
//   - Calico, host-local IPAM: the second of the pod CIDR (getStaticTunnelAddress)
//   - kube-router: the second, that of kube-bridge
//
// All nodes of a cluster do the same, so the node's own address says which.
func (e *enumeration) peer(f *far) Peer {
	p := Peer{Device: f.device.Name, Kind: f.device.Kind, Port: f.device.Port, Outer: f.outer, Block: f.block}
	p.More = once(f.more)
	for i, b := range p.More {
		e.steps++
		if b.Bits() < p.Block.Bits() { // the widest stands for the others
			p.Block, p.More[i] = b, p.Block
		}
	}
	if f.gateway.IsValid() {
		p.Probed, p.Also = f.gateway, f.gateways
		p.Links = f.device.links(p.Probed)
		return p
	}
	candidates := slices.DeleteFunc(e.guess(f.device, p), func(a netip.Addr) bool { return e.elsewhere(a, f) })
	if len(candidates) > 0 {
		p.Probed, p.Also = candidates[0], candidates[1:]
		p.Links = f.device.links(p.Probed)
	}
	p.Guessed = !(f.device.Kind == "ipip" && f.device.Local.IsValid() && !f.device.Remote.IsValid()) // flannel.ipip
	return p
}

// links returns the devices by which an answer to the node comes in; nil for any. To a
// device without an address of the family the node sends from another one's address,
// and the answer need not come back through the tunnel (kube-router's have none).
func (d *device) links(probed netip.Addr) []int {
	for _, a := range d.Addrs {
		if a.Addr().BitLen() == probed.BitLen() {
			return d.in
		}
	}
	return nil
}

// elsewhere says whether the routes lead to an address at another end, or at this
// node: Calico lends single addresses of a block to other nodes.
func (e *enumeration) elsewhere(a netip.Addr, f *far) bool {
	if e.ownAddr[a] || e.own[single(a)] {
		return true
	}
	for bits := a.BitLen(); bits > 0; bits-- { // the longest route is the one that is taken
		if !e.lengths[bits] {
			continue
		}
		e.steps++
		if at, ok := e.behind[netip.PrefixFrom(a, bits).Masked()]; ok {
			return at != disputed && &e.fars[at] != f
		}
	}
	return false
}

// once gives each block once, in their order.
func once(blocks []netip.Prefix) []netip.Prefix {
	if len(blocks) < 2 {
		return blocks
	}
	seen := make(map[netip.Prefix]bool, len(blocks))
	return slices.DeleteFunc(blocks, func(b netip.Prefix) bool {
		again := seen[b]
		seen[b] = true
		return again
	})
}

// guess gives the addresses that may answer, the likeliest first.
func (e *enumeration) guess(d *device, p Peer) []netip.Addr {
	candidates := make([]netip.Addr, 0, 1+alternatives)
	add := func(a netip.Addr) {
		if !slices.Contains(candidates, a) {
			candidates = append(candidates, a)
		}
	}
	first, second := p.Block.Addr(), p.Block.Addr().Next()
	if p.Block.IsSingleIP() {
		second = first
	}
	if e.second(d, p.Block) {
		first, second = second, first
	}
	add(first)
	add(second)
	for _, b := range p.More {
		if len(candidates) > alternatives {
			break
		}
		e.steps++
		add(b.Addr())
	}
	return candidates
}

// second says whether the second address of a block is likelier to answer than
// the first, from how the node numbers its own end.
func (e *enumeration) second(d *device, block netip.Prefix) bool {
	for _, a := range d.Addrs {
		e.steps++
		if a.Addr().BitLen() != block.Addr().BitLen() {
			continue
		}
		switch base := netip.PrefixFrom(a.Addr(), block.Bits()).Masked().Addr(); a.Addr() {
		case base:
			return false
		case base.Next():
			return true
		}
	}
	return d.Remote.IsValid() // kube-router's devices have no address
}
