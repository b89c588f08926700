// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"net/netip"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// An end identifies a far end: by its outer address where that is known, else
// by the gateway, else by the block.
type end struct {
	link  int
	by    byte // 'o', 'g' or 'b'
	addr  netip.Addr
	block netip.Prefix // only where it is by the block
}

// far is what the routes say of a far end. Most have one block and at most one
// gateway; thousands of them are spared a slice of one.
type far struct {
	device   *device
	outer    netip.Addr
	block    netip.Prefix   // the first
	more     []netip.Prefix // the others; a block may be in several tables, and here twice
	gateway  netip.Addr     // the first inner address that its routes name
	gateways []netip.Addr   // the others
}

// route enters one route, or leaves it out: one's own blocks, default routes
// (those of a VPN), and what is not forwarded.
func (e *enumeration) route(r netstate.TunnelRoute) {
	e.steps++
	d := e.devices[r.Link]
	if d == nil || !r.Dst.IsValid() || r.Dst.Bits() == 0 || !usable(r.Dst.Addr()) || r.Dst.Addr().IsLinkLocalUnicast() {
		return
	}
	r.Dst = r.Dst.Masked()
	d.routes++
	switch {
	case r.Dead, d.External, e.own[r.Dst]:
		return
	case r.Encap:
		d.encap++
		return
	case !r.Gateway.IsValid() && e.connected(d, r.Dst):
		return
	}
	outer, inner, ok := e.outer(d, r)
	if ok && !e.taken(d, r, outer, inner) {
		e.enter(d, r.Dst, outer, inner)
	}
}

// connected says whether a route without a gateway is to one of our own subnets:
// the address of the device is inside.
func (e *enumeration) connected(d *device, dst netip.Prefix) bool {
	for _, a := range d.Addrs {
		e.steps++
		if dst.Contains(a.Addr()) {
			return true
		}
	}
	return false
}

// outer gives the outer address that a route leads to and the inner address that
// it names, as far as they are known. It is not ok where neither says which end
// is meant.
func (e *enumeration) outer(d *device, r netstate.TunnelRoute) (outer, inner netip.Addr, ok bool) {
	switch {
	case layer3(d.Kind) && !usable(d.Remote): // of tunl0 the gateway is the outer address
		outer, ok = r.Gateway, usable(r.Gateway)
	case layer3(d.Kind):
		// kube-router leads to the outer address itself by table 77.
		return d.Remote, r.Gateway, r.Dst != single(d.Remote)
	case d.Kind == "wireguard":
		return outer, r.Gateway, true
	case d.Kind == "openvswitch":
		// Antrea's are onlink, the one route of OVN-Kubernetes is not.
		return outer, r.Gateway, r.Onlink && r.Gateway.IsValid()
	default: // Ethernet in something
		outer, inner = e.forwardedTo(d, r.Gateway), r.Gateway
		ok = outer.IsValid() || inner.IsValid()
	}
	if !ok {
		d.mute++
	}
	return outer, inner, ok
}

// forwardedTo says where a device sends frames for an inner address: by its
// neighbour and FDB entries, else to its remote, if there is one.
func (e *enumeration) forwardedTo(d *device, inner netip.Addr) netip.Addr {
	e.steps += 2
	if mac, known := e.macs[onLink{d.Index, inner}]; known {
		if dst, known := e.fdb[forwarded{d.Index, mac}]; known {
			return dst
		}
	}
	if usable(d.Remote) {
		return d.Remote
	}
	return netip.Addr{}
}

// enter adds a block to a far end.
func (e *enumeration) enter(d *device, block netip.Prefix, outer, inner netip.Addr) {
	at := end{link: d.Index, by: 'b', block: block}
	switch {
	case outer.IsValid():
		at = end{link: d.Index, by: 'o', addr: outer}
	case inner.IsValid():
		at = end{link: d.Index, by: 'g', addr: inner}
	}
	e.steps++
	i, known := e.ends[at]
	if !inner.IsValid() {
		e.lead(block, i, known)
	}
	if !known {
		e.ends[at] = len(e.fars)
		e.fars = append(e.fars, far{device: d, outer: outer, block: block, gateway: inner})
		d.peers++
		return
	}
	f := &e.fars[i]
	if block != f.block {
		f.more = append(f.more, block)
	}
	if !f.gateway.IsValid() {
		f.gateway = inner
	} else if inner.IsValid() && inner != f.gateway && len(f.gateways) < alternatives && !slices.Contains(f.gateways, inner) {
		f.gateways = append(f.gateways, inner)
	}
}

// lead notes the end, or the one that comes next, to which the routes of a block
// lead. Where two claim it nobody knows.
func (e *enumeration) lead(block netip.Prefix, at int, known bool) {
	if !known {
		at = len(e.fars)
	}
	if other, claimed := e.behind[block]; claimed && other != at {
		at = disputed
	}
	e.behind[block] = at
	e.lengths[block.Bits()] = true
}

// disputed is in the place of an end.
const disputed = -1

// layer3 says whether the kind carries IP packets, not Ethernet frames.
func layer3(kind string) bool {
	switch kind {
	case "ipip", "ip6tnl", "sit", "gre", "ip6gre":
		return true
	}
	return false
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
