// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// families are asked one after the other: the tables of each are its own.
func families() []uint8 { return []uint8{unix.AF_INET, unix.AF_INET6} }

// routeQuestion asks for the routes of one family and type, of one device if the
// index is not 0. Type 0 is all types. A kernel that does not filter (before 4.20)
// returns all routes.
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

// A routeMessage is a message of the kernel about a route (RTM_NEWROUTE).
type routeMessage struct {
	kind  uint8       // RTN_UNICAST, …
	route TunnelRoute // with table, protocol, flags and destination
	attrs []byte
	hops  []byte // RTA_MULTIPATH
}

// parseRouteMessage is not ok for another family, which a kernel without IPv6 returns
// to a request for IPv6, and for an entry of the cache.
func parseRouteMessage(b []byte, family uint8) (m routeMessage, ok bool) {
	if len(b) < unix.SizeofRtMsg || b[0] != family || binary.NativeEndian.Uint32(b[8:])&unix.RTM_F_CLONED != 0 {
		return m, false
	}
	m.route.Table, m.route.Protocol, m.kind, m.attrs = int(b[4]), int(b[5]), b[7], b[unix.SizeofRtMsg:]
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

// nextHops returns a route for each next hop (struct rtnexthop of rtnetlink(7)).
func (m routeMessage) nextHops() []TunnelRoute {
	if m.hops == nil {
		m.route.hop(m.attrs)
		return []TunnelRoute{m.route}
	}
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

// Routes implements View.
func (l *Live) Routes() ([]Route, error) {
	links, err := l.Links()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	var routes []Route
	for _, family := range families() {
		some, err := gather(l, l.routeQuestion(family, 0, 0), func(b []byte) []Route { return parseMainRoute(b, family, names) })
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		routes = append(routes, some...)
	}
	return routes, nil
}

// parseMainRoute returns a Route for each next hop of a route of the main table.
func parseMainRoute(b []byte, family uint8, names map[int]string) []Route {
	m, ok := parseRouteMessage(b, family)
	if !ok || m.route.Table != mainTable {
		return nil
	}
	var routes []Route
	for _, hop := range m.nextHops() {
		r := Route{Dst: hop.Dst, Gateway: hop.Gateway, Link: names[hop.Link], Protocol: hop.Protocol}
		if r.Dst.Bits() == 0 {
			r.Dst = netip.Prefix{} // the default route
		}
		routes = append(routes, r)
	}
	return routes
}

// Lookup implements View. It sends the request of `ip route get`: one request and one
// answer, however many routes and addresses there are.
func (l *Live) Lookup(addr netip.Addr) (hop Hop, err error) {
	addr = addr.Unmap()
	if !addr.IsValid() {
		return hop, errors.New("look up route: no address was given")
	}
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	q := question{unix.RTM_GETROUTE, unix.RTM_NEWROUTE, []nl.NetlinkRequestData{
		&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family), Dst_len: uint8(addr.BitLen())}},
		nl.NewRtAttr(unix.RTA_DST, addr.AsSlice()),
	}}
	err = l.ask(q, func(b []byte) (err error) {
		hop, err = parseHop(b)
		return err
	})
	if err != nil {
		return Hop{}, fmt.Errorf("look up route to %s: %w", addr, noRoute(err))
	}
	return hop, nil
}

// parseHop reads the answer to a lookup, which is marked as an entry of the cache.
// The gateway of an IPv4 route may be an IPv6 address (RTA_VIA, Linux 5.2). It is not
// an IPv4 address, and is left out here.
func parseHop(b []byte) (hop Hop, err error) {
	if len(b) < unix.SizeofRtMsg {
		return hop, fmt.Errorf("parse route: %w", errCutShort)
	}
	hop.Local = b[7] == unix.RTN_LOCAL
	for kind, value := range attributes(b[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_GATEWAY:
			hop.Gateway, _ = netip.AddrFromSlice(value)
		case unix.RTA_OIF:
			hop.Link = int(number32(value))
		case unix.RTA_PREFSRC:
			hop.Source = attrAddr(value)
		}
	}
	return hop, nil
}

// noRoute maps the errors that mean that no route leads there: none matches, or the
// one that does is unreachable, prohibit (EACCES) or blackhole (EINVAL).
func noRoute(err error) error {
	for _, none := range []error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.EINVAL} {
		if errors.Is(err, none) {
			return fs.ErrNotExist
		}
	}
	return errnoMeaning(err)
}
