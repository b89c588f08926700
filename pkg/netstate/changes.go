// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A ChangeKind says what changed. The zero ChangeKind is ChangesLost.
type ChangeKind uint8

// The kinds of changes.
const (
	ChangesLost    ChangeKind = iota // changes came faster than they were read: look at everything
	LinkChanged                      // a link was created, changed or deleted
	AddrChanged                      // an address of the link was added or deleted
	RuleChanged                      // a policy routing rule was added or deleted
	ConfChanged                      // a sysctl below net/ipv4/conf or net/ipv6/conf
	RulesetChanged                   // some program committed a change of nftables
)

// A Change is one change of a namespace, as far as the kernel reports it. Routes are not
// among them: WatchRoutes reports those.
type Change struct {
	Kind ChangeKind
	Link Link // LinkChanged, without MAC and Peer; AddrChanged: the Index only
	Gone bool // of a link, an address or a rule: it was deleted
	// Conf is the index of the interface whose sysctl changed, or ConfAll or ConfDefault.
	Conf       int
	IPv6       bool // of an address, a rule or a sysctl
	Forwarding int  // ConfChanged: the new value; -1 if another sysctl changed. A new interface is no change
}

// What Change.Conf is beside the index of an interface (linux/netconf.h).
const (
	ConfAll     = -1
	ConfDefault = -2
)

// How WatchChanges reads. A single change is reported at once. In a storm, such as of
// pods that come and go, changes are collected for stormPause, so that the reader does not
// wake up for each of them.
const (
	stormGap      = 3 * time.Millisecond // changes that follow each other faster are a storm
	stormPause    = 4 * time.Millisecond
	changeBatches = 64 // in the channel
)

// nlgrpNFTables is NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h.
const nlgrpNFTables = 7

// nftNewGen is the message type of NFT_MSG_NEWGEN: the subsystem nftables is 10, the
// message 15.
const nftNewGen = 10<<8 | 15

// WatchChanges reports changes of links, addresses, rules and interface sysctls until ctx
// ends, or until the subscription breaks, and then closes the channel. It needs no
// capability. If changes get lost, in the kernel (ENOBUFS) or because the channel is not
// read, it sends one of kind ChangesLost in their place. A batch is never empty.
func (l *Live) WatchChanges(ctx context.Context) (<-chan []Change, error) {
	return l.watchChanges(ctx, watchBuffer)
}

func (l *Live) watchChanges(ctx context.Context, buffer int) (<-chan []Change, error) {
	changes, err := l.watchGroups(ctx, unix.NETLINK_ROUTE, buffer, parseChange, nil,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
		unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of the network: %w", err)
	}
	return changes, nil
}

// WatchRuleset reports each committed change of nftables (RulesetChanged), and nothing
// about what changed. iptables-legacy is not seen. It needs CAP_NET_ADMIN. The channel is
// that of WatchChanges.
func (l *Live) WatchRuleset(ctx context.Context) (<-chan []Change, error) {
	// The group has a message for each rule and set element. The filter keeps only the one
	// that ends a transaction; its type is in the header, in the byte order of the machine.
	kind := make([]byte, 2)
	binary.NativeEndian.PutUint16(kind, nftNewGen)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(binary.BigEndian.Uint16(kind)), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	parse := func(kind uint16, _ []byte) (Change, bool) { return Change{Kind: RulesetChanged}, kind == nftNewGen }
	changes, err := l.watchGroups(ctx, unix.NETLINK_NETFILTER, 256<<10, parse, filter, nlgrpNFTables)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of nftables: %w", err)
	}
	return changes, nil
}

// A changeWatch reads one socket.
type changeWatch struct {
	file    *os.File
	parse   func(kind uint16, payload []byte) (Change, bool)
	changes chan []Change
	buffer  []byte
	batch   []Change
	lost    bool // changes were lost, and that was not sent yet
}

func (l *Live) watchGroups(ctx context.Context, protocol, buffer int, parse func(uint16, []byte) (Change, bool), filter []unix.SockFilter, groups ...int) (<-chan []Change, error) {
	var file *os.File
	err := l.enter(func() (err error) {
		file, err = subscribe(protocol, buffer, filter, groups)
		return err
	})
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &changeWatch{file: file, parse: parse, changes: make(chan []Change, changeBatches), buffer: make([]byte, receiveBuffer)}
	go w.run(ctx, raw)
	return w.changes, nil
}

// subscribe returns a socket that does not block, and belongs to the namespace of the
// calling thread.
func subscribe(protocol, buffer int, filter []unix.SockFilter, groups []int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "netlink")
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil { // it takes CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) // bounded by net.core.rmem_max
	}
	if filter != nil {
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
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

// run reads until the socket is closed or fails.
func (w *changeWatch) run(ctx context.Context, raw syscall.RawConn) {
	defer close(w.changes)
	defer context.AfterFunc(ctx, func() { _ = w.file.Close() })()
	defer w.file.Close()
	var last time.Time
	for ctx.Err() == nil {
		var broken error
		if err := raw.Read(func(fd uintptr) bool { // until there is something to read
			var some bool
			some, broken = w.drain(int(fd))
			return some || broken != nil
		}); err != nil || broken != nil {
			return
		}
		w.send()
		now := time.Now()
		if now.Sub(last) < stormGap {
			select {
			case <-time.After(stormPause):
			case <-ctx.Done():
				return
			}
			now = time.Now()
		}
		last = now
	}
}

// drain reads all that has arrived, and reports whether that was anything.
func (w *changeWatch) drain(fd int) (some bool, broken error) {
	for range 4096 { // a flood must not keep what was read from being reported
		n, from, err := unix.Recvfrom(fd, w.buffer, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return some, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			some, w.lost = true, true
			continue
		case err != nil:
			return some, err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 { // any process may send to the socket
			continue
		}
		some = true
		w.messages(w.buffer[:n])
	}
	return true, nil
}

func (w *changeWatch) messages(b []byte) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			w.lost = true // cut short: the rest is not known
			return
		}
		if c, ok := w.parse(binary.NativeEndian.Uint16(b[4:]), b[unix.NLMSG_HDRLEN:size]); ok {
			w.batch = append(w.batch, c)
		}
		b = b[min(aligned(size), len(b)):]
	}
}

// send hands on what was read. If the channel is full, it drops the oldest batch: that
// changes were lost is worth more than any change.
func (w *changeWatch) send() {
	if w.lost {
		w.batch = append(w.batch[:0:0], Change{})
	}
	if len(w.batch) == 0 {
		return
	}
	for {
		select {
		case w.changes <- w.batch:
			w.batch, w.lost = nil, false
			return
		default:
		}
		select {
		case <-w.changes:
		default:
		}
		w.batch = []Change{{}}
	}
}

// parseChange reads a message of rtnetlink. It reports false for those that do not
// matter.
func parseChange(kind uint16, b []byte) (Change, bool) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return parseLinkChange(kind, b)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		if len(b) < unix.SizeofIfAddrmsg {
			return Change{}, true
		}
		return Change{Kind: AddrChanged, Link: Link{Index: int(number32(b[4:]))}, IPv6: b[0] == unix.AF_INET6, Gone: kind == unix.RTM_DELADDR}, true
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return Change{Kind: RuleChanged, IPv6: len(b) > 0 && b[0] == unix.AF_INET6, Gone: kind == unix.RTM_DELRULE}, true
	case unix.RTM_NEWNETCONF:
		return parseConfChange(b)
	}
	return Change{}, false
}

// parseLinkChange skips the messages of bridges about their ports, which have the family
// AF_BRIDGE and say nothing that the others do not.
func parseLinkChange(kind uint16, b []byte) (Change, bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return Change{}, true
	}
	if b[0] != unix.AF_UNSPEC {
		return Change{}, false
	}
	c := Change{Kind: LinkChanged, Gone: kind == unix.RTM_DELLINK}
	c.Link.Index, c.Link.Up = int(int32(number32(b[4:]))), number32(b[8:])&unix.IFF_UP != 0
	for attr, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch attr {
		case unix.IFLA_IFNAME:
			c.Link.Name = unix.ByteSliceToString(value)
		case unix.IFLA_MASTER:
			c.Link.Master = int(number32(value))
		case unix.IFLA_LINKINFO:
			for attr, value := range attributes(value) {
				if attr == unix.IFLA_INFO_KIND {
					c.Link.Kind = unix.ByteSliceToString(value)
				}
			}
		}
	}
	return c, true
}

// Attributes of linux/netconf.h.
const (
	netconfaIfindex    = 1
	netconfaForwarding = 2
)

// parseConfChange reads struct netconfmsg, a family and padding, and its attributes.
func parseConfChange(b []byte) (Change, bool) {
	if len(b) < 1 {
		return Change{}, true
	}
	c := Change{Kind: ConfChanged, IPv6: b[0] == unix.AF_INET6, Forwarding: -1}
	if b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return c, false // MPLS
	}
	others := 0
	for attr, value := range attributes(b[min(aligned(1), len(b)):]) {
		switch attr {
		case netconfaIfindex:
			c.Conf = int(int32(number32(value)))
		case netconfaForwarding:
			c.Forwarding = int(int32(number32(value)))
		default:
			others++
		}
	}
	// A change has one value. All values are those of an interface that is new, and begins
	// with those of conf/default.
	return c, c.Forwarding < 0 || others == 0
}
