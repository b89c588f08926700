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
	outer netip.Addr
	inner netip.Addr
	block netip.Prefix
}

// far is what the routes say of a far end.
type far struct {
	device   *device
	outer    netip.Addr
	blocks   []netip.Prefix
	gateways []netip.Addr // inner addresses that its routes name
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
	outers, inner, ok := e.outers(d, r)
	if ok && !e.taken(d, r, outers, inner) {
		e.enter(d, r.Dst, outers, inner)
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

// outers gives the outer addresses that a route may lead to, mostly one, and the
// inner address that it names. It is not ok where neither says which end is meant.
func (e *enumeration) outers(d *device, r netstate.TunnelRoute) (outers []netip.Addr, inner netip.Addr, ok bool) {
	if usable(d.Remote) {
		outers = []netip.Addr{d.Remote}
	}
	switch {
	case layer3(d.Kind) && outers == nil: // of tunl0 the gateway is the outer address
		outers, r.Gateway, ok = []netip.Addr{r.Gateway}, netip.Addr{}, usable(r.Gateway)
	case layer3(d.Kind):
		// kube-router leads to the outer address itself by table 77.
		return outers, r.Gateway, r.Dst != single(d.Remote)
	case d.Kind == "wireguard":
		ok = true
	case d.Kind == "openvswitch":
		// Antrea's are onlink, the one route of OVN-Kubernetes is not.
		return nil, r.Gateway, r.Onlink && r.Gateway.IsValid()
	default: // Ethernet in something
		e.steps++
		if mac, known := e.macs[onLink{d.Index, r.Gateway}]; known && len(e.fdb[forwarded{d.Index, mac}]) > 0 {
			outers = e.fdb[forwarded{d.Index, mac}]
			outers = outers[:min(len(outers), rivals)]
		}
		ok = r.Gateway.IsValid() || outers != nil
	}
	if !ok {
		d.mute++
	}
	return outers, r.Gateway, ok
}

// rivals bounds how many that claim one inner address are looked at.
const rivals = 8

// enter adds a block to a far end. Where two outer addresses lay claim to one
// inner address, the first is as good as the other.
func (e *enumeration) enter(d *device, block netip.Prefix, outers []netip.Addr, inner netip.Addr) {
	at := end{link: d.Index}
	switch {
	case outers != nil:
		at.outer = outers[0]
	case inner.IsValid():
		at.inner = inner
	default:
		at.block = block
	}
	e.steps++
	f := e.ends[at]
	if f == nil {
		f = &far{device: d, outer: at.outer}
		e.ends[at] = f
		e.order = append(e.order, at)
		d.peers++
	}
	if at.block = block; !e.seen[at] { // it may be in several tables
		e.seen[at] = true
		f.blocks = append(f.blocks, block)
	}
	if inner.IsValid() && len(f.gateways) <= alternatives && !slices.Contains(f.gateways, inner) {
		f.gateways = append(f.gateways, inner)
	}
}

// layer3 says whether the kind carries IP packets, not Ethernet frames.
func layer3(kind string) bool {
	switch kind {
	case "ipip", "ip6tnl", "sit", "gre", "ip6gre":
		return true
	}
	return false
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
