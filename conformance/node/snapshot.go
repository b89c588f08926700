// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Snapshot describes links, addresses, routes and rules of the namespace, a line
// each. Two snapshots are equal where nothing changed in between: what
// the kernel does in its own time, such as link-local addresses of IPv6, is left
// out.
func Snapshot(path string) (string, error) {
	var lines []string
	err := withHandle(path, func(h *netlink.Handle) error {
		for _, describe := range []func(*netlink.Handle) ([]string, error){links, routes, rules} {
			some, err := describe(h)
			if err != nil {
				return err
			}
			lines = append(lines, some...)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("take snapshot of %s: %w", path, err)
	}
	return strings.Join(lines, "\n"), nil
}

func links(h *netlink.Handle) ([]string, error) {
	all, err := h.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	var lines []string
	for _, link := range all {
		a := link.Attrs()
		lines = append(lines, fmt.Sprintf("link %d %s %s mac=%s mtu=%d master=%d up=%t promisc=%d allmulti=%t",
			a.Index, a.Name, link.Type(), a.HardwareAddr, a.MTU, a.MasterIndex, a.Flags&net.FlagUp != 0,
			a.Promisc, a.RawFlags&unix.IFF_ALLMULTI != 0))
		addrs, err := h.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", a.Name, err)
		}
		for _, addr := range addrs {
			if !addr.IP.IsLinkLocalUnicast() {
				lines = append(lines, fmt.Sprintf("addr %s %s", a.Name, addr.IPNet))
			}
		}
	}
	return lines, nil
}

func routes(h *netlink.Handle) ([]string, error) {
	anyTable := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
	var lines []string
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := h.RouteListFiltered(family, anyTable, netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		for _, r := range all {
			if !ownTime(r.Dst) {
				lines = append(lines, fmt.Sprintf("route %v via %v dev %d table %d src %v", r.Dst, r.Gw, r.LinkIndex, r.Table, r.Src))
			}
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// ownTime reports routes that come and go with link-local addresses of IPv6.
func ownTime(dst *net.IPNet) bool {
	return dst != nil && dst.IP.To4() == nil && (dst.IP.IsLinkLocalUnicast() || dst.IP.IsMulticast())
}

func rules(h *netlink.Handle) ([]string, error) {
	all, err := h.RuleList(netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	var lines []string
	for _, r := range all {
		lines = append(lines, fmt.Sprintf("rule %d from %v to %v table %d family %d", r.Priority, r.Src, r.Dst, r.Table, r.Family))
	}
	return lines, nil
}
