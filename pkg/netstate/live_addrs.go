// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Addrs implements View. It asks the kernel for one link's addresses, which the
// library's AddrList cannot: on a node with a thousand host veths that would
// read thousands of addresses to find those of lo.
func (l *Live) Addrs(name string) ([]netip.Prefix, error) {
	link, err := l.Link(name)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var addrs []netip.Prefix
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		found, err := settled(func() ([]netip.Prefix, error) { return l.dumpAddrs(family, link.Index) })
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", name, errnoMeaning(err))
		}
		addrs = append(addrs, found...)
	}
	return addrs, nil
}

func (l *Live) dumpAddrs(family, index int) ([]netip.Prefix, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	req.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.addrs}
	msg := nl.NewIfAddrmsg(family)
	if l.strict {
		msg.Index = uint32(index)
	}
	req.AddData(msg)
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, answer := range answers {
		addr, err := parseAddr(answer)
		if err != nil {
			return nil, err
		}
		if int(nl.DeserializeIfAddrmsg(answer).Index) == index {
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

// parseAddr reads one RTM_NEWADDR. IFA_LOCAL is the link's own address; where
// it is missing (IPv6 without a peer) IFA_ADDRESS is.
func parseAddr(answer []byte) (netip.Prefix, error) {
	msg := nl.DeserializeIfAddrmsg(answer)
	attrs, err := nl.ParseRouteAttr(answer[msg.Len():])
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("parse address: %w", err)
	}
	var addr netip.Addr
	for _, attr := range attrs {
		own := attr.Attr.Type == unix.IFA_LOCAL
		if own || attr.Attr.Type == unix.IFA_ADDRESS && !addr.IsValid() {
			addr, _ = netip.AddrFromSlice(attr.Value)
		}
	}
	if !addr.IsValid() {
		return netip.Prefix{}, errors.New("parse address: the kernel named none")
	}
	return netip.PrefixFrom(addr, int(msg.Prefixlen)), nil
}

// AddAddr implements View.
func (l *Live) AddAddr(name string, addr netip.Prefix) error {
	link, err := l.links.LinkByName(name)
	if err == nil {
		var parsed *netlink.Addr
		if parsed, err = netlink.ParseAddr(addr.String()); err == nil {
			err = l.links.AddrReplace(link, parsed)
		}
	}
	if err != nil {
		return fmt.Errorf("add address %s to %s: %w", addr, name, errnoMeaning(err))
	}
	return nil
}
