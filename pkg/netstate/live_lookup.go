// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Lookup implements View. It is the question of `ip route get`: one request and
// one answer, however many routes and addresses there are.
func (l *Live) Lookup(addr netip.Addr) (Hop, error) {
	hop, err := l.lookup(addr.Unmap())
	if err != nil {
		return Hop{}, fmt.Errorf("look up route to %s: %w", addr, noRoute(err))
	}
	return hop, nil
}

func (l *Live) lookup(addr netip.Addr) (Hop, error) {
	if !addr.IsValid() {
		return Hop{}, errors.New("no address was given")
	}
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	req := l.request(unix.RTM_GETROUTE, 0)
	req.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family), Dst_len: uint8(addr.BitLen())}})
	req.AddData(nl.NewRtAttr(unix.RTA_DST, addr.AsSlice()))
	answers, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWROUTE)
	if err != nil {
		return Hop{}, err
	}
	if len(answers) != 1 {
		return Hop{}, fmt.Errorf("the kernel gave %d routes", len(answers))
	}
	return parseHop(answers[0])
}

// parseHop reads one RTM_NEWROUTE. The gateway of an IPv4 route may be an IPv6
// address (RTA_VIA, Linux 5.2), which is nobody's IPv4 address, and so none here.
func parseHop(answer []byte) (Hop, error) {
	msg := nl.DeserializeRtMsg(answer)
	attrs, err := nl.ParseRouteAttr(answer[msg.Len():])
	if err != nil {
		return Hop{}, fmt.Errorf("parse route: %w", err)
	}
	hop := Hop{Local: msg.Type == unix.RTN_LOCAL}
	for _, attr := range attrs {
		if attr.Attr.Type == unix.RTA_GATEWAY {
			hop.Gateway, _ = netip.AddrFromSlice(attr.Value)
		}
	}
	return hop, nil
}

// noRoute tells the errors that mean that no route leads there: none matches, or
// the one that does is unreachable, prohibit (EACCES) or blackhole (EINVAL).
func noRoute(err error) error {
	for _, none := range []error{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EACCES, unix.EINVAL} {
		if errors.Is(err, none) {
			return fs.ErrNotExist
		}
	}
	return errnoMeaning(err)
}
