// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

func (l *Live) dumpTunnelAddrs(d *TunnelDump) error {
	links := d.indexes(func(TunnelLink) bool { return true })
	type owned struct {
		link int
		addr netip.Prefix
	}
	all, err := gatherOf(l, links, addrQuestion, func(b []byte, of func(int) bool) []owned {
		index, addr, err := parseAddr(b)
		if err != nil || !of(index) || addr.Addr().IsLinkLocalUnicast() {
			return nil
		}
		return []owned{{index, addr}}
	})
	at := make(map[int]int, len(d.Links))
	for i, link := range d.Links {
		at[link.Index] = i
	}
	for _, o := range all {
		d.Links[at[o.link]].Addrs = append(d.Links[at[o.link]].Addrs, o.addr)
	}
	return err
}

// dumpNeighbours asks for the neighbours of devices that carry Ethernet.
func (l *Live) dumpNeighbours(d *TunnelDump) error {
	links := d.indexes(func(t TunnelLink) bool { return t.Kind == "vxlan" })
	for _, family := range families() {
		found, err := gatherOf(l, links, func(index int) question {
			q := question{unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, []nl.NetlinkRequestData{&ndmsg{family: family}}}
			if index != 0 && l.strict { // in the header it would be refused
				q.parts = append(q.parts, nl.NewRtAttr(unix.NDA_IFINDEX, nl.Uint32Attr(uint32(index))))
			}
			return q
		}, func(b []byte, of func(int) bool) []Neighbour { return parseNeighbour(b, family, of) })
		if err != nil {
			return err
		}
		d.Neighbours = append(d.Neighbours, found...)
	}
	return nil
}

func (l *Live) dumpFDB(d *TunnelDump) (err error) {
	links := d.indexes(func(t TunnelLink) bool { return t.Kind == "vxlan" })
	d.FDB, err = gatherOf(l, links, func(index int) question {
		return question{unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, []nl.NetlinkRequestData{&ndmsg{family: unix.AF_BRIDGE, index: index}}}
	}, func(b []byte, of func(int) bool) []FDBEntry {
		if n, ok := parseND(b); ok && b[0] == unix.AF_BRIDGE && of(n.Link) && n.Addr.IsValid() {
			return []FDBEntry{{Link: n.Link, MAC: n.MAC, Dst: n.Addr}}
		}
		return nil
	})
	return err
}

// ndmsg is struct ndmsg of linux/neighbour.h.
type ndmsg struct {
	family uint8
	index  int
}

// Len and Serialize make it part of a request.
func (*ndmsg) Len() int { return unix.SizeofNdMsg }

func (m *ndmsg) Serialize() []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0] = m.family
	binary.NativeEndian.PutUint32(b[4:], uint32(m.index))
	return b
}

// unanswered are the states in which the kernel has no link-layer address, or no
// longer trusts it.
const unanswered = unix.NUD_INCOMPLETE | unix.NUD_FAILED

func parseNeighbour(b []byte, family uint8, of func(int) bool) []Neighbour {
	n, ok := parseND(b)
	if !ok || b[0] != family || !of(n.Link) || !n.Addr.IsValid() || n.MAC == (MAC{}) || binary.NativeEndian.Uint16(b[8:])&unanswered != 0 {
		return nil
	}
	return []Neighbour{n}
}

func parseND(b []byte) (n Neighbour, ok bool) {
	if len(b) < unix.SizeofNdMsg {
		return n, false
	}
	n.Link = int(int32(binary.NativeEndian.Uint32(b[4:])))
	for kind, value := range attributes(b[unix.SizeofNdMsg:]) {
		switch kind {
		case unix.NDA_DST:
			n.Addr = attrAddr(value)
		case unix.NDA_LLADDR:
			if len(value) == len(n.MAC) {
				copy(n.MAC[:], value)
			}
		}
	}
	return n, true
}

// dumpTunnelRoutes asks for the routes of the devices that are in use, and for the
// destinations that the node drops itself.
func (l *Live) dumpTunnelRoutes(d *TunnelDump) error {
	used := d.indexes(func(t TunnelLink) bool {
		return t.Up || len(t.Addrs) > 0 || slices.ContainsFunc(d.FDB, func(e FDBEntry) bool { return e.Link == t.Index })
	})
	if len(used) == 0 {
		return nil
	}
	for _, family := range families() {
		routes, err := gatherOf(l, used, func(index int) question {
			return l.routeQuestion(family, unix.RTN_UNICAST, index)
		}, func(b []byte, of func(int) bool) []TunnelRoute { return parseTunnelRoute(b, family, of) })
		if err != nil {
			return err
		}
		d.Routes = append(d.Routes, routes...)
		for _, kind := range []uint8{unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT} {
			own, err := gather(l, l.routeQuestion(family, kind, 0), func(b []byte) []netip.Prefix { return parseOwn(b, family, kind) })
			if err != nil {
				return err
			}
			d.Own = append(d.Own, own...)
		}
	}
	return nil
}

// parseTunnelRoute returns the next hops of a unicast route over the devices of the dump.
func parseTunnelRoute(b []byte, family uint8, of func(int) bool) []TunnelRoute {
	m, ok := parseRouteMessage(b, family)
	if !ok || m.kind != unix.RTN_UNICAST || m.route.Table == unix.RT_TABLE_LOCAL {
		return nil
	}
	return slices.DeleteFunc(m.nextHops(), func(r TunnelRoute) bool { return !of(r.Link) })
}

// parseOwn returns the destination of a route of that type. It leaves out default
// routes: IPv6 had an unreachable one before 4.11.
func parseOwn(b []byte, family, kind uint8) []netip.Prefix {
	m, ok := parseRouteMessage(b, family)
	if !ok || m.kind != kind || m.route.Dst.Bits() == 0 {
		return nil
	}
	return []netip.Prefix{m.route.Dst}
}
