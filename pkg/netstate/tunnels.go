// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// A TunnelDump is the state of the tunnels of a namespace: enough to list their other
// ends without any other source. The zero TunnelDump has no tunnels.
type TunnelDump struct {
	Links  []TunnelLink
	Routes []TunnelRoute // out of Links, of all tables but local, of both families
	// Own are the destinations of blackhole, unreachable and prohibit routes. A network
	// plugin holds the node's own blocks with them. Throw routes are not included:
	// Calico excepts the blocks of others from WireGuard with those.
	Own        []netip.Prefix
	Neighbours []Neighbour // of Links, those whose link-layer address is known
	FDB        []FDBEntry  // of Links of kind vxlan
	WireGuard  []WireGuard // of Links of kind wireguard
}

// TunnelKinds returns all kinds of links that a TunnelDump may have, as the kernel
// names them (IFLA_INFO_KIND).
func TunnelKinds() []string {
	return []string{"ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "vxlan", "geneve", "wireguard", "openvswitch", "tun"}
}

// carriesTunnels reports whether a TunnelDump has links of the kind.
func carriesTunnels(kind string) bool { return slices.Contains(TunnelKinds(), kind) }

// A TunnelLink is a device whose packets leave the node in other packets, or
// enter Open vSwitch, which may wrap them.
type TunnelLink struct {
	Name  string
	Index int    // 1 or more
	Kind  string // one of TunnelKinds
	Up    bool   // IFF_UP
	MAC   MAC    // its own; the zero MAC if it carries no Ethernet
	MTU   int    // of the packets in the tunnel, in bytes; 0 if it is not known

	// Local and Remote are the outer addresses; the zero Addr if the kind has none, or
	// if any address will do, as on tunl0. A group of a vxlan is no Remote.
	Local, Remote netip.Addr
	// Group: a vxlan sends frames whose MAC it does not know to a multicast group, so that
	// the kernel finds out what the tables lack.
	Group bool
	// External: each packet brings its outer addresses along (collect metadata),
	// so that no table of the kernel has them.
	External bool
	VNI      uint32 // of vxlan and geneve
	// Port is the UDP port that the outer packets are sent to: of vxlan, of geneve,
	// and of ipip within FOU or GUE; of wireguard the one that it listens on, as each peer
	// has its own. Zero if the outer packets are not UDP, or if it is not known.
	Port uint16
	// Unopened: no process holds a tun that is up, so that its packets are lost.
	Unopened bool
	Master   int // index of the bridge or Open vSwitch that it is a port of; 0 for none

	Addrs []netip.Prefix // its addresses, but IPv6 link-local ones

	tap bool // a tun that carries Ethernet, which is no tunnel
}

// A TunnelRoute is one next hop of a unicast route.
type TunnelRoute struct {
	Dst       netip.Prefix // 0.0.0.0/0 or ::/0 for a default route; never the zero Prefix
	Gateway   netip.Addr   // the zero Addr if the destination is on the link
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

// An FDBEntry is the outer address to which a vxlan sends the frames for a MAC.
// The zero MAC stands for frames whose MAC has no entry.
type FDBEntry struct {
	Link int // index of the device
	MAC  MAC
	Dst  netip.Addr
}

// A MAC is a link-layer address that can be compared.
type MAC [6]byte

// String returns the form 0a:58:0a:f4:01:07.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// TunnelDump implements View. A device that vanishes meanwhile is left out.
func (l *Live) TunnelDump(kinds ...string) (TunnelDump, error) {
	var d TunnelDump
	dumpLinks := func(d *TunnelDump) error { return l.dumpTunnelLinks(d, kinds) }
	for _, step := range []struct {
		what string
		dump func(*TunnelDump) error
	}{
		{"links", dumpLinks},
		{"addresses", l.dumpTunnelAddrs},
		{"forwarding entries", l.dumpFDB},
		{"peers of WireGuard", l.wireGuardOf},
		{"neighbours", l.dumpNeighbours},
		{"routes", l.dumpTunnelRoutes},
	} {
		if err := step.dump(&d); err != nil {
			return TunnelDump{}, fmt.Errorf("dump %s of tunnels: %w", step.what, errnoMeaning(err))
		}
		if len(d.Links) == 0 {
			break
		}
	}
	return d, nil
}

// indexes returns the indexes of the links that match.
func (d *TunnelDump) indexes(matches func(TunnelLink) bool) []int {
	var all []int
	for _, link := range d.Links {
		if matches(link) {
			all = append(all, link.Index)
		}
	}
	return slices.Compact(all)
}

// askEach is the number of devices up to which the kernel is asked for one at a time.
// It searches a whole table for each, so that one dump of all is cheaper beyond this:
// kube-router has a device for each peer.
const askEach = 8

// gatherOf collects what parse makes of the answers for some devices, asked as eachOf does.
func gatherOf[T any](l *Live, links []int, ask func(index int) question, parse func(b []byte, of func(int) bool) []T) ([]T, error) {
	var all []T
	kept := 0
	err := l.eachOf(links, ask, func(answered bool) {
		if !answered {
			all = all[:kept]
		}
		kept = len(all)
	}, func(b []byte, of func(int) bool) { all = append(all, parse(b, of)...) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// eachOf asks for one device at a time if they are few and the kernel filters. Else
// it asks once for all, and answer must leave out the others. ask is called with the
// index, or with 0 for all. After each question, and before it is repeated, done is
// called with whether its answers count. The function is not generic, so that the
// program has it only once.
func (l *Live) eachOf(links []int, ask func(index int) question, done func(answered bool), answer func(b []byte, of func(int) bool)) error {
	restart := func() { done(false) }
	if len(links) > 0 && (!l.strict || len(links) > askEach) {
		among := make(map[int]bool, len(links))
		for _, index := range links {
			among[index] = true
		}
		return l.each(ask(0), restart, func(b []byte) { answer(b, func(i int) bool { return among[i] }) })
	}
	for _, index := range links {
		of := func(i int) bool { return i == index }
		err := l.each(ask(index), restart, func(b []byte) { answer(b, of) })
		if err != nil && !errors.Is(err, unix.ENODEV) { // the device is gone
			return err
		}
		done(err == nil)
	}
	return nil
}
