// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"net"
	"net/netip"
	"slices"
)

// A TunnelDump is what the kernel says of the tunnels of a namespace: enough to
// tell the other ends of them without asking anybody else. The zero TunnelDump
// has no tunnels.
type TunnelDump struct {
	Links  []TunnelLink
	Routes []TunnelRoute // out of Links, of all tables but local, of both families
	// Own are the destinations of blackhole, unreachable and prohibit routes: a
	// network plugin holds the node's own blocks by them. Throw routes are not
	// among them; Calico excepts the blocks of others from WireGuard by those.
	Own        []netip.Prefix
	Neighbours []Neighbour // of Links, those whose link-layer address is known
	FDB        []FDBEntry  // of Links of kind vxlan
}

// TunnelKinds gives all kinds of links that a TunnelDump may have, as the kernel
// names them (IFLA_INFO_KIND).
func TunnelKinds() []string {
	return []string{"ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "vxlan", "geneve", "wireguard", "openvswitch"}
}

// carriesTunnels says whether a TunnelDump has links of the kind.
func carriesTunnels(kind string) bool { return slices.Contains(TunnelKinds(), kind) }

// A TunnelLink is a device whose packets leave the node in other packets, or
// enter Open vSwitch, which may wrap them.
type TunnelLink struct {
	Name  string
	Index int    // 1 or more
	Kind  string // one of TunnelKinds
	Up    bool   // IFF_UP

	// Local and Remote are the outer addresses; the zero Addr where the kind has
	// none, or where any will do, as on tunl0. A group of a vxlan is no Remote.
	Local, Remote netip.Addr
	// External: each packet brings its outer addresses along (collect metadata),
	// so that no table of the kernel has them.
	External bool
	VNI      uint32 // of vxlan and geneve
	// Port is the UDP port that the outer packets are sent to: of vxlan, of geneve,
	// and of ipip within FOU or GUE; zero where the outer packets are no UDP.
	Port   uint16
	Master int // index of the bridge or Open vSwitch that it is a port of; 0 for none

	Addrs []netip.Prefix // its addresses, but IPv6 link-local ones
}

// A TunnelRoute is one next hop of a unicast route.
type TunnelRoute struct {
	Dst       netip.Prefix // 0.0.0.0/0 or ::/0 for a default route; never the zero Prefix
	Gateway   netip.Addr   // the zero Addr where the destination is on the link
	Link      int          // index of the device
	Table     int          // 254 is the main table
	Protocol  int          // rtnetlink(7) rtm_protocol: 2 kernel, 12 bird, 17 kube-router, 80 Calico
	Onlink    bool         // RTNH_F_ONLINK: the gateway need not be in a subnet of the device
	Dead      bool         // RTNH_F_DEAD: the kernel does not use it, as the device is down
	Multipath bool         // the route has other next hops as well
	Encap     bool         // it brings the outer addresses along (RTA_ENCAP)
}

// A Neighbour is an entry of a neighbour table (ARP or NDP).
type Neighbour struct {
	Link int // index of the device
	Addr netip.Addr
	MAC  MAC
}

// An FDBEntry says to which outer address a vxlan sends the frames for a MAC.
// The zero MAC stands for frames whose MAC has no entry.
type FDBEntry struct {
	Link int // index of the device
	MAC  MAC
	Dst  netip.Addr
}

// A MAC is a link-layer address that can be compared.
type MAC [6]byte

// String gives the form 0a:58:0a:f4:01:07.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }
