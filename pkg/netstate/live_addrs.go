// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Addrs implements View. It asks the kernel for one link's addresses, which the
// library's AddrList cannot: on a node with a thousand host veths that would
// read thousands of addresses to find those of lo.
func (l *Live) Addrs(name string) ([]netip.Prefix, error) {
	index, err := l.index(name)
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", name, errnoMeaning(err))
	}
	addrs, err := settled(func() ([]netip.Prefix, error) { return l.dumpAddrs(index) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", name, errnoMeaning(err))
	}
	return addrs, nil
}

// index gives the index of a link, at a tenth of the cost of all that Link gives.
func (l *Live) index(name string) (uint32, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fs.ErrNotExist // too long to be a name
	}
	defer runtime.KeepAlive(l)
	if err := unix.IoctlIfreq(l.socket.Socket.GetFd(), unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return request.Uint32(), nil
}

func (l *Live) dumpAddrs(index uint32) ([]netip.Prefix, error) {
	req := l.request(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	msg := nl.NewIfAddrmsg(unix.AF_UNSPEC)
	if l.strict {
		msg.Index = index
	}
	req.AddData(msg)
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, answer := range answers {
		if nl.DeserializeIfAddrmsg(answer).Index != index {
			continue
		}
		addr, err := parseAddr(answer)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, addr)
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
	if err := l.addAddr(name, addr); err != nil {
		return fmt.Errorf("add address %s to %s: %w", addr, name, errnoMeaning(err))
	}
	return nil
}

func (l *Live) addAddr(name string, addr netip.Prefix) error {
	h, err := l.handle()
	if err != nil {
		return err
	}
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	parsed, err := netlink.ParseAddr(addr.String())
	if err != nil {
		return err
	}
	return h.AddrReplace(link, parsed)
}
