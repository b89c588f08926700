// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io/fs"
	"runtime"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A linkMessage is a message of the kernel about a link (RTM_NEWLINK).
type linkMessage struct {
	Link
	netID     int    // IFLA_LINK_NETNSID: where the other end is; -1 for this namespace
	data      []byte // IFLA_INFO_DATA, whose meaning depends on the kind
	noCarrier bool
}

// parseLinkMessage copies what it returns, but for data. A message that is cut short
// yields the zero Link.
func parseLinkMessage(b []byte) linkMessage {
	m := linkMessage{netID: -1}
	if len(b) < unix.SizeofIfInfomsg {
		return m
	}
	header := nl.DeserializeIfInfomsg(b)
	m.Index, m.Up = int(header.Index), header.Flags&unix.IFF_UP != 0
	parent := 0
	for kind, value := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			m.Name = unix.ByteSliceToString(value)
		case unix.IFLA_ADDRESS:
			if slices.ContainsFunc(value, func(b byte) bool { return b != 0 }) { // that of lo is all zeros
				m.MAC = bytes.Clone(value)
			}
		case unix.IFLA_LINK:
			parent = int(number32(value))
		case unix.IFLA_MTU:
			m.MTU = int(number32(value))
		case unix.IFLA_CARRIER:
			m.noCarrier = len(value) > 0 && value[0] == 0
		case unix.IFLA_MASTER:
			m.Master = int(number32(value))
		case unix.IFLA_LINK_NETNSID:
			m.netID = int(int32(number32(value)))
		case unix.IFLA_LINKINFO: // the kind comes before its data
			for kind, value := range attributes(value) {
				switch kind {
				case unix.IFLA_INFO_KIND:
					m.Kind = unix.ByteSliceToString(value)
				case unix.IFLA_INFO_DATA:
					m.data = value
				case unix.IFLA_INFO_SLAVE_KIND:
					m.MasterKind = unix.ByteSliceToString(value)
				}
			}
		}
	}
	if m.Kind == "veth" || m.Kind == "netkit" {
		m.Peer = parent
	}
	return m
}

// skipStats asks the kernel for links without their counters, which are a large part of
// the message (RTEXT_FILTER_SKIP_STATS, Linux 4.4).
const skipStats = 1 << 3

// linkQuestion asks for the links of a kind, or for all. The kernel filters since
// Linux 4.6, as long as the module of the kind is loaded; otherwise it returns all.
func linkQuestion(kind string) question {
	q := question{unix.RTM_GETLINK, unix.RTM_NEWLINK, []nl.NetlinkRequestData{
		nl.NewIfInfomsg(unix.AF_UNSPEC),
		nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(skipStats)),
	}}
	if kind != "" {
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(unix.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
		q.parts = append(q.parts, info)
	}
	return q
}

// Link implements View.
func (l *Live) Link(name string) (Link, error) {
	m, err := l.getLink(name)
	if err != nil {
		return Link{}, fmt.Errorf("get link %s: %w", name, errnoMeaning(err))
	}
	return m.Link, nil
}

// LinkByIndex implements View.
func (l *Live) LinkByIndex(index int) (link Link, err error) {
	err = fs.ErrNotExist
	if index > 0 { // 0 would ask for any link
		q := linkQuestion("")
		q.parts[0].(*nl.IfInfomsg).Index = int32(index)
		err = l.ask(q, func(b []byte) error { link = parseLinkMessage(b).Link; return nil })
	}
	if err != nil {
		return Link{}, fmt.Errorf("get link with index %d: %w", index, errnoMeaning(err))
	}
	return link, nil
}

// MasterOf implements View. Two ioctls take neither the lock of rtnetlink nor a
// message with all attributes of a bridge. The kind is that of the port's message.
func (l *Live) MasterOf(port Link) (Link, error) {
	if port.Master == 0 {
		return Link{}, nil
	}
	var request unix.Ifreq // without a name
	err := l.socket.control(func(fd int) error {
		request.SetUint32(uint32(port.Master))
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFNAME, &request); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, &request)
	})
	if err != nil {
		return Link{}, fmt.Errorf("get what %s is a port of: %w", port.Name, errnoMeaning(err))
	}
	return Link{Name: request.Name(), Index: port.Master, Kind: port.MasterKind, Up: request.Uint16()&unix.IFF_UP != 0}, nil
}

// getLink asks for one link by name. A name that is longer than a link's would be
// taken for an alternative name, of which a sandbox has none.
func (l *Live) getLink(name string) (m linkMessage, err error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return m, fs.ErrNotExist
	}
	q := linkQuestion("")
	q.parts = append(q.parts, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	err = l.ask(q, func(b []byte) error {
		m = parseLinkMessage(b)
		m.data = bytes.Clone(m.data)
		return nil
	})
	return m, err
}

// changeLink changes one attribute of a link.
func (l *Live) changeLink(message, index int, attr nl.NetlinkRequestData) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	return l.change(message, 0, msg, attr)
}

// Links implements View.
func (l *Live) Links() ([]Link, error) {
	links, err := gather(l, linkQuestion(""), func(b []byte) []Link { return []Link{parseLinkMessage(b).Link} })
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	slices.SortFunc(links, byIndex) // kernels before 6.9 list them by index modulo 256
	return links, nil
}

func byIndex(a, b Link) int { return cmp.Compare(a.Index, b.Index) }

// index returns the index of a link, at a tenth of the cost of Link.
func (l *Live) index(name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fs.ErrNotExist // too long to be a name
	}
	err = l.socket.control(func(fd int) error { return unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request) })
	return int(request.Uint32()), err
}

// SetUp implements View.
func (l *Live) SetUp(name string) error {
	m, err := l.getLink(name)
	if err == nil {
		msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
		msg.Index, msg.Flags, msg.Change = int32(m.Index), unix.IFF_UP, unix.IFF_UP
		err = l.change(unix.RTM_NEWLINK, 0, msg)
	}
	if err != nil {
		return fmt.Errorf("set link %s up: %w", name, errnoMeaning(err))
	}
	return nil
}

// A Peer is where the other end of a veth is. The zero Peer is an end in the
// same namespace.
type Peer struct {
	Away  bool // in another namespace (IFLA_LINK_NETNSID is set)
	NetID int  // Away: the number that this namespace has for the other one
}

// VethPeer returns where the other end of a veth is. A veth exists only while both
// its ends do, so an end that is away is in a namespace that exists. The error wraps
// fs.ErrNotExist if there is no such link.
func (l *Live) VethPeer(name string) (Peer, error) {
	m, err := l.getLink(name)
	if err != nil {
		return Peer{}, fmt.Errorf("get peer of %s: %w", name, errnoMeaning(err))
	}
	if m.Kind != "veth" {
		return Peer{}, fmt.Errorf("get peer of %s: its kind is %q", name, m.Kind)
	}
	return Peer{Away: m.netID >= 0, NetID: max(m.netID, 0)}, nil
}

// Attributes of RTM_GETNSID (linux/net_namespace.h).
const (
	netnsaNSID = 1 // NETNSA_NSID
	netnsaFD   = 3 // NETNSA_FD
)

// NetID returns the number that this namespace has for another one, as in
// Peer.NetID, and -1 if it has none (RTM_GETNSID, Linux 4.0).
func (l *Live) NetID(of *Netns) (int, error) {
	if of.file == nil {
		return -1, fmt.Errorf("get ID of %s: no namespace is open", of.Path)
	}
	defer runtime.KeepAlive(of.file)
	id := -1
	fd := binary.NativeEndian.AppendUint32(nil, uint32(of.file.Fd()))
	q := question{unix.RTM_GETNSID, unix.RTM_NEWNSID, []nl.NetlinkRequestData{nl.NewRtGenMsg(), nl.NewRtAttr(netnsaFD, fd)}}
	err := l.ask(q, func(b []byte) error {
		if len(b) < aligned(unix.SizeofRtGenmsg) {
			return errCutShort
		}
		for kind, value := range attributes(b[aligned(unix.SizeofRtGenmsg):]) {
			if kind == netnsaNSID {
				id = int(int32(number32(value)))
			}
		}
		return nil
	})
	if err != nil {
		return -1, fmt.Errorf("get ID of %s: %w", of.Path, err)
	}
	return id, nil
}
