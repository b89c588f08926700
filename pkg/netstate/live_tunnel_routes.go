// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// families are asked one after the other: the tables of each are its own.
func families() []uint8 { return []uint8{unix.AF_INET, unix.AF_INET6} }

// dumpTunnelRoutes asks for the routes of the devices that are in use.
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

// routeQuestion asks for the routes of one family and type, of one device where
// the index is not 0. A kernel that does not filter (before 4.20) gives all.
func (l *Live) routeQuestion(family, kind uint8, index int) question {
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}
	q := question{unix.RTM_GETROUTE, unix.RTM_NEWROUTE, []nl.NetlinkRequestData{msg}}
	if !l.strict {
		return q
	}
	msg.Type = kind
	if index != 0 {
		q.parts = append(q.parts, nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	}
	return q
}

// A routeMessage is what both kinds of answers have in front.
type routeMessage struct {
	route TunnelRoute // with table, protocol, flags and destination
	attrs []byte
	hops  []byte // RTA_MULTIPATH
}

// parseRouteMessage is not ok for another family, which a kernel without IPv6
// gives to who asks for that, for another type, and for an entry of the cache.
func parseRouteMessage(b []byte, family, kind uint8) (m routeMessage, ok bool) {
	if len(b) < unix.SizeofRtMsg || b[0] != family || b[7] != kind || binary.NativeEndian.Uint32(b[8:])&unix.RTM_F_CLONED != 0 {
		return m, false
	}
	m.route.Table, m.route.Protocol, m.attrs = int(b[4]), int(b[5]), b[unix.SizeofRtMsg:]
	m.route.flag(binary.NativeEndian.Uint32(b[8:]))
	base := netip.IPv4Unspecified()
	if family == unix.AF_INET6 {
		base = netip.IPv6Unspecified()
	}
	for kind, value := range attributes(m.attrs) {
		switch kind {
		case unix.RTA_DST:
			if addr, isAddr := netip.AddrFromSlice(value); isAddr {
				base = addr
			}
		case unix.RTA_TABLE:
			m.route.Table = int(number32(value))
		case unix.RTA_MULTIPATH:
			m.hops = value
		}
	}
	m.route.Dst = netip.PrefixFrom(base, int(b[1]))
	return m, m.route.Dst.IsValid()
}

// flag reads the flags of a next hop.
func (r *TunnelRoute) flag(flags uint32) {
	r.Onlink, r.Dead = flags&unix.RTNH_F_ONLINK != 0, flags&unix.RTNH_F_DEAD != 0
}

// hop reads the attributes of a next hop.
func (r *TunnelRoute) hop(attrs []byte) {
	for kind, value := range attributes(attrs) {
		switch kind {
		case unix.RTA_OIF:
			r.Link = int(number32(value))
		case unix.RTA_GATEWAY:
			r.Gateway = attrAddr(value)
		case unix.RTA_VIA: // of the other family
			if len(value) > 2 {
				r.Gateway = attrAddr(value[2:])
			}
		case unix.RTA_ENCAP:
			r.Encap = true
		}
	}
}

func parseTunnelRoute(b []byte, family uint8, of func(int) bool) []TunnelRoute {
	m, ok := parseRouteMessage(b, family, unix.RTN_UNICAST)
	if !ok || m.route.Table == unix.RT_TABLE_LOCAL {
		return nil
	}
	if m.hops == nil {
		if m.route.hop(m.attrs); of(m.route.Link) {
			return []TunnelRoute{m.route}
		}
		return nil
	}
	return slices.DeleteFunc(m.nextHops(), func(r TunnelRoute) bool { return !of(r.Link) })
}

// nextHops gives a route for each next hop (struct rtnexthop of rtnetlink(7)).
func (m routeMessage) nextHops() []TunnelRoute {
	var routes []TunnelRoute
	for b := m.hops; len(b) >= unix.SizeofRtNexthop; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			break
		}
		r := m.route
		r.flag(uint32(b[2]))
		r.Link, r.Multipath = int(int32(binary.NativeEndian.Uint32(b[4:]))), true
		r.hop(b[unix.SizeofRtNexthop:size])
		routes = append(routes, r)
		b = b[min(aligned(size), len(b)):]
	}
	return routes
}

// parseOwn leaves default routes out: IPv6 had an unreachable one before 4.11.
func parseOwn(b []byte, family, kind uint8) []netip.Prefix {
	m, ok := parseRouteMessage(b, family, kind)
	if !ok || m.route.Dst.Bits() == 0 {
		return nil
	}
	return []netip.Prefix{m.route.Dst}
}
