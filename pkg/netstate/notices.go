// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A NoticeKind says what a Notice is about. The zero NoticeKind is NoticesLost.
type NoticeKind uint8

// The kinds of notices.
const (
	NoticesLost   NoticeKind = iota // changes came faster than they were read
	LinkNotice                      // of a link
	AddressNotice                   // of an address
	RouteNotice                     // of a route, in any table but local
	RuleNotice                      // of a policy routing rule
	SysctlNotice                    // of an interface sysctl
)

// A Notice is one message of the kernel about a change, for people who ask who made it.
type Notice struct {
	Kind NoticeKind
	Time time.Time // when it was read
	Gone bool      // it was deleted
	// Port is the port of the netlink socket whose request made the change: that of
	// addresses, routes and rules. It is 0 if the kernel made the change, or does not say who
	// did. Linux 6.18 does not say it of links, sysctls and what was changed by ioctl(2).
	Port uint32
	// Baseline: nothing has changed. The link was there when the notices began.
	Baseline bool
	// Link is the link, or the one of the address or sysctl: then only Index is set, which is
	// ConfAll or ConfDefault for these two sysctls.
	Link Link
	// Object names an address, route or rule: "10.1.0.0/24 via 192.0.2.1 dev 3 table 254". The
	// numbers of links and tables are not resolved.
	Object string
	IPv6   bool
	Sysctl string // of SysctlNotice: "forwarding"
}

// WatchNotices reports changes until ctx ends or the subscription breaks, and then closes
// the channel. The links that are there come first. It needs no capability. Unlike
// WatchChanges it reports every change, and wakes up for each: it is for a person who waits
// for one, and not for a program that runs all the time.
func (l *Live) WatchNotices(ctx context.Context) (<-chan Notice, error) {
	groups := []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
	}
	var file *os.File
	err := l.enter(func() (err error) {
		file, err = openNotices(unix.NETLINK_ROUTE, groups, 0)
		return err
	})
	if err == nil {
		err = askLinks(file)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribe to notices of the network: %w", err)
	}
	notices := make(chan Notice, watchBacklog)
	go func() {
		defer close(notices)
		lost := false
		readNotices(ctx, file, func() { lost = true }, func(h noticeHeader, payload []byte) bool {
			n, ok := parseNotice(h, payload)
			if lost && ok {
				ok, n = true, Notice{Time: n.Time}
			}
			if !ok {
				return true
			}
			select {
			case notices <- n:
				lost = false
			default:
				lost = true
			}
			return true
		})
	}()
	return notices, nil
}

// openNotices opens a socket of the namespace of the calling thread that does not block.
// Mask is the bit mask of groups up to 31, for a protocol that knows no other way.
func openNotices(protocol int, groups []int, mask uint32) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "netlink")
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer) != nil { // it takes CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, watchBuffer) // bounded by net.core.rmem_max
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: mask})
	for _, group := range groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// baselineSeq is the number of the request for all links.
const baselineSeq = 1

// askLinks sends a request for all links. The answer is read with the notices.
func askLinks(file *os.File) error {
	b := make([]byte, unix.NLMSG_HDRLEN+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(b[8:], baselineSeq)
	return sendNetlink(file, b)
}

// sendNetlink sends a message to the kernel.
func sendNetlink(file *os.File, b []byte) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Write(func(fd uintptr) bool {
		sendErr = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return !errors.Is(sendErr, unix.EAGAIN)
	})
	return errors.Join(err, sendErr)
}

// A noticeHeader is what of struct nlmsghdr matters.
type noticeHeader struct {
	kind, flags uint16
	seq, port   uint32
	time        time.Time
}

// readNotices calls take with each message from the kernel, until ctx ends, take returns
// false, or the socket breaks, and closes the socket.
func readNotices(ctx context.Context, file *os.File, lost func(), take func(noticeHeader, []byte) bool) {
	defer context.AfterFunc(ctx, func() { _ = file.Close() })()
	defer file.Close()
	raw, err := file.SyscallConn()
	if err != nil {
		return
	}
	buffer := make([]byte, receiveBuffer)
	for ctx.Err() == nil {
		var n int
		var from unix.Sockaddr
		var readErr error
		if err := raw.Read(func(fd uintptr) bool {
			n, from, readErr = unix.Recvfrom(int(fd), buffer, unix.MSG_DONTWAIT)
			return !errors.Is(readErr, unix.EAGAIN)
		}); err != nil {
			return
		}
		switch {
		case errors.Is(readErr, syscall.EINTR):
			continue
		case errors.Is(readErr, unix.ENOBUFS):
			lost()
			continue
		case readErr != nil:
			return
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 { // any process may send to the socket
			continue
		}
		now := time.Now()
		for b := buffer[:n]; len(b) >= unix.NLMSG_HDRLEN; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.NLMSG_HDRLEN || size > len(b) {
				lost()
				break
			}
			h := noticeHeader{binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint16(b[6:]), binary.NativeEndian.Uint32(b[8:]), binary.NativeEndian.Uint32(b[12:]), now}
			if !take(h, b[unix.NLMSG_HDRLEN:size]) {
				return
			}
			b = b[min(aligned(size), len(b)):]
		}
	}
}

// parseNotice reads a message. It reports false for those that say nothing.
func parseNotice(h noticeHeader, b []byte) (Notice, bool) {
	n := Notice{Time: h.time, Port: h.port}
	switch h.kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		c, ok := parseLinkChange(h.kind, b)
		if !ok || len(b) < unix.SizeofIfInfomsg {
			return n, false
		}
		n.Kind, n.Gone, n.Link = LinkNotice, c.Gone, c.Link
		if h.flags&unix.NLM_F_MULTI != 0 && h.seq == baselineSeq { // notices have no such flag
			n.Baseline, n.Port = true, 0
		}
		for attr, value := range attributes(b[unix.SizeofIfInfomsg:]) {
			switch attr {
			case unix.IFLA_MTU:
				n.Link.MTU = int(number32(value))
			case unix.IFLA_ADDRESS:
				n.Link.MAC = append(n.Link.MAC, value...)
			}
		}
		return n, true
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		n.Kind, n.Gone = AddressNotice, h.kind == unix.RTM_DELADDR
		return n, n.address(b)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		n.Kind, n.Gone = RouteNotice, h.kind == unix.RTM_DELROUTE
		return n, n.route(b)
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		n.Kind, n.Gone = RuleNotice, h.kind == unix.RTM_DELRULE
		return n, n.rule(b)
	case unix.RTM_NEWNETCONF:
		n.Kind = SysctlNotice
		return n, n.sysctl(b)
	}
	return n, false
}

func (n *Notice) address(b []byte) bool {
	if len(b) < unix.SizeofIfAddrmsg {
		return false
	}
	n.IPv6, n.Link.Index = b[0] == unix.AF_INET6, int(number32(b[4:]))
	var addr netip.Addr
	for attr, value := range attributes(b[unix.SizeofIfAddrmsg:]) {
		if a, ok := netip.AddrFromSlice(value); ok && (attr == unix.IFA_LOCAL || attr == unix.IFA_ADDRESS && !addr.IsValid()) {
			addr = a
		}
	}
	n.Object = netip.PrefixFrom(addr, int(b[1])).String()
	return addr.IsValid()
}

// route reads struct rtmsg and its attributes. Routes of the table local come with
// addresses, and cached ones are no routes that anyone made.
func (n *Notice) route(b []byte) bool {
	if len(b) < unix.SizeofRtMsg {
		return false
	}
	n.IPv6 = b[0] == unix.AF_INET6
	table, bits, kind := uint32(b[4]), int(b[1]), b[7]
	dst, via, dev, metric := "default", "", "", ""
	for attr, value := range attributes(b[unix.SizeofRtMsg:]) {
		switch attr {
		case unix.RTA_TABLE:
			table = number32(value)
		case unix.RTA_DST:
			if a, ok := netip.AddrFromSlice(value); ok {
				dst = netip.PrefixFrom(a, bits).String()
			}
		case unix.RTA_GATEWAY:
			if a, ok := netip.AddrFromSlice(value); ok {
				via = " via " + a.String()
			}
		case unix.RTA_OIF:
			n.Link.Index = int(number32(value))
			dev = " dev " + strconv.Itoa(n.Link.Index)
		case unix.RTA_PRIORITY:
			metric = " metric " + strconv.FormatUint(uint64(number32(value)), 10)
		case unix.RTA_MULTIPATH:
			via = " over several next hops"
		}
	}
	if name, ok := map[byte]string{unix.RTN_BLACKHOLE: "blackhole ", unix.RTN_UNREACHABLE: "unreachable ", unix.RTN_PROHIBIT: "prohibit "}[kind]; ok {
		dst = name + dst
	}
	n.Object = dst + via + dev + " table " + strconv.FormatUint(uint64(table), 10) + metric
	return table != unix.RT_TABLE_LOCAL && number32(b[8:])&unix.RTM_F_CLONED == 0
}

// Attributes of linux/fib_rules.h.
const (
	fraDst      = 1
	fraSrc      = 2
	fraIifname  = 3
	fraPriority = 6
	fraFwmark   = 10
	fraTable    = 15
)

// rule reads struct fib_rule_hdr, which has the size and the first fields of struct rtmsg.
func (n *Notice) rule(b []byte) bool {
	if len(b) < unix.SizeofRtMsg {
		return false
	}
	n.IPv6 = b[0] == unix.AF_INET6
	table, priority, from, of := uint32(b[4]), uint32(0), " from all", ""
	for attr, value := range attributes(b[unix.SizeofRtMsg:]) {
		switch attr {
		case fraTable:
			table = number32(value)
		case fraPriority:
			priority = number32(value)
		case fraSrc:
			if a, ok := netip.AddrFromSlice(value); ok {
				from = " from " + netip.PrefixFrom(a, int(b[2])).String()
			}
		case fraDst:
			if a, ok := netip.AddrFromSlice(value); ok {
				of += " to " + netip.PrefixFrom(a, int(b[1])).String()
			}
		case fraIifname:
			of += " iif " + unix.ByteSliceToString(value)
		case fraFwmark:
			of += fmt.Sprintf(" fwmark %#x", number32(value))
		}
	}
	n.Object = fmt.Sprintf("%d:%s%s lookup %d", priority, from, of, table)
	return true
}

// Attributes of linux/netconf.h beside forwarding.
const (
	netconfaRPFilter       = 3
	netconfaProxyNeigh     = 5
	netconfaIgnoreLinkdown = 6
)

// sysctl reads struct netconfmsg. All values at once are those that a new interface begins with.
func (n *Notice) sysctl(b []byte) bool {
	if len(b) < 1 || b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return false
	}
	n.IPv6 = b[0] == unix.AF_INET6
	values := 0
	for attr, value := range attributes(b[min(aligned(1), len(b)):]) {
		if attr == netconfaIfindex {
			n.Link.Index = int(int32(number32(value)))
			continue
		}
		values++
		names := map[uint16]string{netconfaForwarding: "forwarding", netconfaRPFilter: "rp_filter", netconfaProxyNeigh: "proxy_arp", netconfaIgnoreLinkdown: "ignore_routes_with_linkdown"}
		if n.IPv6 {
			names[netconfaProxyNeigh] = "proxy_ndp"
		}
		n.Sysctl = names[attr]
	}
	return values == 1 && n.Sysctl != ""
}
