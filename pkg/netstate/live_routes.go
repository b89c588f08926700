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
	routes := make([]Route, len(found))
	for i, r := range found {
		routes[i] = Route{Dst: prefixOf(r.Dst), Link: names[r.LinkIndex], Protocol: int(r.Protocol)}
		if gw, ok := netip.AddrFromSlice(r.Gw); ok {
			routes[i].Gateway = gw.Unmap()
		}
	}
	return routes, nil
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
