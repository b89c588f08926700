// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Routes implements View.
func (l *Live) Routes() ([]Route, error) {
	h, err := l.handle()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	found, err := settled(func() ([]netlink.Route, error) {
		return h.RouteList(nil, netlink.FAMILY_ALL)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	links, err := l.Links()
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	names := make(map[int]string, len(links))
	for _, link := range links {
		names[link.Index] = link.Name
	}
	routes := make([]Route, 0, len(found))
	for _, r := range found {
		for _, hop := range hopsOf(r) {
			route := Route{Dst: prefixOf(r.Dst), Link: names[hop.LinkIndex], Protocol: int(r.Protocol)}
			route.Gateway = gatewayOf(hop)
			routes = append(routes, route)
		}
	}
	return routes, nil
}

// hopsOf gives the next hops of a route, of which the library has one apart.
func hopsOf(r netlink.Route) []*netlink.NexthopInfo {
	if len(r.MultiPath) > 0 {
		return r.MultiPath
	}
	return []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Gw: r.Gw, Via: r.Via}}
}

// gatewayOf gives the zero Addr where the destination is on the link.
func gatewayOf(hop *netlink.NexthopInfo) netip.Addr {
	ip := hop.Gw
	if via, ok := hop.Via.(*netlink.Via); ok { // of the other family
		ip = via.Addr
	}
	gw, _ := netip.AddrFromSlice(ip)
	return gw.Unmap()
}

// prefixOf gives the zero Prefix for the default route, which the library
// writes as nil or as a zero network.
func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	addr = addr.Unmap() // a mapped 0.0.0.0 does not count as unspecified
	ones, _ := n.Mask.Size()
	if ones == 0 && addr.IsUnspecified() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, ones)
}
