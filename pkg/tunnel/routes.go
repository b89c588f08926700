// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// An endpoint is a far end, as the routes describe it. Most have one block and at most
// one gateway; the single fields spare thousands of them a slice of one.
type endpoint struct {
	device   *device
	outer    netip.Addr
	port     uint16         // that a peer of WireGuard listens on
	block    netip.Prefix   // the first
	more     []netip.Prefix // the others; a block that is in several tables is here twice
	gateway  netip.Addr     // the first inner address that its routes name
	gateways []netip.Addr   // the others
}

// An endpointKey identifies an endpoint by its outer address; if that is unknown by its
// gateway, else by its block.
type endpointKey struct {
	link  int
	by    byte // 'o', 'g' or 'b'
	addr  netip.Addr
	block netip.Prefix // with 'b' only
}

// kernelRoute is RTPROT_KERNEL: the subnet of an address of a device.
const kernelRoute = 2

// addRoute adds one route. It ignores the node's own blocks, default routes (those of a
// VPN) and what is not forwarded.
func (e *enumeration) addRoute(r netstate.TunnelRoute) {
	e.steps++
	d := e.devices[r.Link]
	if d == nil || !r.Dst.IsValid() || r.Dst.Bits() == 0 || !isNodeAddr(r.Dst.Addr()) || r.Dst.Addr().IsLinkLocalUnicast() {
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
	case d.keeps:
		if r.Protocol != kernelRoute { // flannel's route is the whole pod network
			d.routed = append(d.routed, r.Dst)
			d.gateways[r.Dst] = r.Gateway
		}
		return
	case !r.Gateway.IsValid() && e.isOwnSubnet(d, r.Dst):
		return
	}
	outer, inner, ok := e.farEnd(d, r)
	if ok && !e.addClaims(d, r, outer, inner) {
		e.addBlock(d, r.Dst, outer, inner)
	}
}

// isOwnSubnet reports whether a destination without a gateway is one of the node's own
// subnets: it contains an address of the device.
func (e *enumeration) isOwnSubnet(d *device, dst netip.Prefix) bool {
	for _, a := range d.Addrs {
		e.steps++
		if dst.Contains(a.Addr()) {
			return true
		}
	}
	return false
}

// farEnd returns the outer address that a route leads to and the inner address that it
// names, each if known. It is not ok if neither identifies an end.
func (e *enumeration) farEnd(d *device, r netstate.TunnelRoute) (outer, inner netip.Addr, ok bool) {
	switch {
	case isLayer3(d.Kind) && !isNodeAddr(d.Remote): // with tunl0 the gateway is the outer address
		outer, ok = r.Gateway, isNodeAddr(r.Gateway)
	case isLayer3(d.Kind):
		// kube-router routes to the outer address itself, in table 77.
		return d.Remote, r.Gateway, r.Dst != single(d.Remote)
	case d.Kind == "wireguard":
		return outer, r.Gateway, true
	case d.Kind == "tun": // a program has the outer addresses
		return outer, inner, false
	case d.Kind == "openvswitch":
		// Antrea's routes are onlink; the one route of OVN-Kubernetes is not.
		return outer, r.Gateway, r.Onlink && r.Gateway.IsValid()
	default: // Ethernet in something
		outer, inner = e.outerOf(d, r.Gateway), r.Gateway
		ok = outer.IsValid() || inner.IsValid()
		if !outer.IsValid() && d.needsEntries() && inner.IsValid() {
			e.incomplete = append(e.incomplete, Incomplete{d.Name, r.Dst, inner, e.macs[linkAddr{d.Index, inner}]})
		}
	}
	if !ok {
		d.unresolved++
	}
	return outer, inner, ok
}

// needsEntries reports whether a device reaches only those for whom there are entries: it
// has no place to send a question to.
func (d *device) needsEntries() bool {
	return d.Kind == "vxlan" && d.Up && !d.External && !d.Group && !d.floods && !isNodeAddr(d.Remote) && d.Master == 0
}

// unrouted returns the outer addresses of the FDB to which no route leads. A device
// without peers has none: after a change from vxlan to host-gw all its entries stay.
// Entries for another MAC of the same node stay, too.
func (e *enumeration) unrouted(d netstate.TunnelDump) []Unrouted {
	routed := make(map[linkAddr]bool, len(e.endpoints))
	for _, end := range e.endpoints {
		routed[linkAddr{end.device.Index, end.outer}] = true
	}
	inner := make(map[linkMAC]netip.Addr, len(d.Neighbours))
	for _, n := range d.Neighbours {
		inner[linkMAC{n.Link, n.MAC}] = n.Addr
	}
	var all []Unrouted
	for _, f := range d.FDB {
		e.steps++
		v := e.devices[f.Link]
		key := linkAddr{f.Link, f.Dst}
		if v == nil || !v.needsEntries() || v.peers == 0 || !isNodeAddr(f.Dst) || f.Dst == v.Local || routed[key] {
			continue
		}
		routed[key] = true
		all = append(all, Unrouted{v.Name, v.Index, f.Dst, inner[linkMAC{f.Link, f.MAC}]})
	}
	return all
}

// isLayer3 reports whether tunnels of a kind carry IP packets, not Ethernet frames.
func isLayer3(kind string) bool {
	switch kind {
	case "ipip", "ip6tnl", "sit", "gre", "ip6gre":
		return true
	}
	return false
}

// outerOf returns where a device sends frames for an inner address: by its neighbor and
// FDB entries, else to its remote address, if it has one.
func (e *enumeration) outerOf(d *device, inner netip.Addr) netip.Addr {
	e.steps += 2
	if mac, ok := e.macs[linkAddr{d.Index, inner}]; ok {
		if dst, ok := e.fdb[linkMAC{d.Index, mac}]; ok {
			return dst
		}
	}
	if isNodeAddr(d.Remote) {
		return d.Remote
	}
	return netip.Addr{}
}

// addBlock adds a block to an endpoint.
func (e *enumeration) addBlock(d *device, block netip.Prefix, outer, inner netip.Addr) {
	key := endpointKey{link: d.Index, by: 'b', block: block}
	switch {
	case outer.IsValid():
		key = endpointKey{link: d.Index, by: 'o', addr: outer}
	case inner.IsValid():
		key = endpointKey{link: d.Index, by: 'g', addr: inner}
	}
	e.steps++
	i, known := e.byKey[key]
	if !known {
		i = len(e.endpoints)
		e.byKey[key] = i
		e.endpoints = append(e.endpoints, endpoint{device: d, outer: outer, block: block, gateway: inner})
		d.peers++
	}
	if !inner.IsValid() {
		if other, claimed := e.byBlock[block]; claimed && other != i {
			e.byBlock[block] = disputed
		} else {
			e.byBlock[block] = i
		}
		e.prefixLengths[block.Bits()] = true
	}
	if !known {
		return
	}
	p := &e.endpoints[i]
	if block != p.block {
		p.more = append(p.more, block)
	}
	if !p.gateway.IsValid() {
		p.gateway = inner
	} else if inner.IsValid() && inner != p.gateway && len(p.gateways) < maxAlternatives && !slices.Contains(p.gateways, inner) {
		p.gateways = append(p.gateways, inner)
	}
}

// notEnumerable returns why the kernel's tables do not show the peers of a device, or
// not all of them; "" if they do, or if the device is not in use.
func (e *enumeration) notEnumerable(d *device) string {
	master := e.devices[d.Master]
	switch {
	case strings.HasPrefix(d.Name, "cilium_") && d.routes == 0 && d.Kind != "wireguard":
		return ciliumReason(d)
	case !d.Up:
		return ""
	case d.External && master != nil && master.Kind == "openvswitch":
		return "it is a port of Open vSwitch, whose flows choose the outer address of each packet (OVN-Kubernetes, Antrea); the kernel's tables do not have them"
	case d.External:
		return "a BPF program or a flow sets the outer address of each packet (external, collect metadata); the kernel's tables do not have them"
	case d.Kind == "openvswitch" && d.peers > 0:
		return "the gateways of its routes answer pings, but the outer addresses are in the flows of Open vSwitch (Antrea)"
	case d.Kind == "wireguard" && !d.keeps && d.routes > 0:
		return fmt.Sprintf("WireGuard itself keeps the outer addresses, and tells them only to a process with CAP_NET_ADMIN: wg show %s endpoints", d.Name)
	case IsFlannelUDP(d.TunnelLink):
		return "flanneld itself carries its packets (backend udp), and has the addresses of the other nodes in its memory"
	case d.Kind == "tun":
		return ""
	case d.encap > 0:
		return fmt.Sprintf("the outer addresses are in its routes, beside the gateway (%s with encap)", count(d.encap, "route"))
	case d.unresolved > 0:
		return fmt.Sprintf("it has no remote address, and %s over it without a gateway", count(d.unresolved, "route"))
	}
	return ""
}

// ciliumReason explains the devices of Cilium, which keeps its peers in BPF maps. When
// it loads the ipip module, it renames the tunl0 that appears to cilium_tunl, and no
// other network finds tunl0 then (squat/kilo#8).
func ciliumReason(d *device) string {
	if !d.External {
		return "it is the kernel's tunl0, renamed by Cilium; no route uses it, and Kilo or another user of tunl0 will not find it"
	}
	return "Cilium keeps its peers in a BPF map: run cilium-health status"
}

// IsFlannelUDP reports whether a device is that of flannel's backend udp.
func IsFlannelUDP(l netstate.TunnelLink) bool {
	number, is := strings.CutPrefix(l.Name, "flannel")
	return is && l.Kind == "tun" && number != "" && strings.Trim(number, "0123456789") == ""
}

// whyNeeded returns why a device that is down is needed; "" if it is up, or if nothing
// needs it, as the tunl0 that the kernel creates in every namespace. The kernel drops
// the IPv4 routes of a device that goes down, so what is left of its configuration
// decides.
func whyNeeded(d *device) string {
	switch {
	case d.Up, d.Kind == "tun" && !IsFlannelUDP(d.TunnelLink): // that of a VPN is its owner's business
		return ""
	case d.routes > 0:
		return "it still has " + count(d.routes, "route")
	case d.Kind == "openvswitch": // br-int is always down
		return ""
	case d.fdb > 0:
		return fmt.Sprintf("it has the outer addresses of other nodes (%s in its FDB); the kernel drops the routes of a device that goes down", count(d.fdb, "entry"))
	case len(d.Addrs) > 0:
		return fmt.Sprintf("it has the address %s; the kernel drops the routes of a device that goes down", d.Addrs[0].Addr())
	}
	return ""
}

// count returns "1 route", "2 routes", "2 entries".
func count(n int, what string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(what, "y"):
		what = strings.TrimSuffix(what, "y") + "ies"
	default:
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
