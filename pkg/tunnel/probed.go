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
func (e *enumeration) peer(at end) Peer {
	f := e.ends[at]
	widest := 0
	for i, b := range f.blocks {
		e.steps++
		if b.Bits() < f.blocks[widest].Bits() {
			widest = i
		}
	}
	p := Peer{Device: f.device.Name, Kind: f.device.Kind, Port: f.device.Port, Outer: f.outer, Block: f.blocks[widest]}
	p.More = slices.Concat(f.blocks[:widest], f.blocks[widest+1:])
	candidates := f.gateways
	if len(candidates) == 0 {
		candidates = e.guess(f.device, p)
		p.Guessed = !(f.device.Kind == "ipip" && f.device.Local.IsValid() && !f.device.Remote.IsValid()) // flannel.ipip
	}
	p.Probed = candidates[0]
	p.Also = slices.Clone(candidates[1:min(len(candidates), 1+alternatives)])
	return p
}

// guess gives the addresses that may answer, the likeliest first, at least one.
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
