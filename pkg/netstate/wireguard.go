// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A WireGuard is what a device of kind wireguard knows of its peers. Keys are not read.
type WireGuard struct {
	Link int // index of the device, whose Port has the port that it listens on
	// Unread is why the peers are not known, as a clause: it takes CAP_NET_ADMIN. Mark and
	// Peers are empty then. "": they are known.
	Unread string `json:",omitempty"`
	Mark   uint32 `json:",omitempty"` // of the outer packets that leave; 0 for none
	Peers  []WireGuardPeer
}

// A WireGuardPeer is another end of a device.
type WireGuardPeer struct {
	Endpoint netip.AddrPort // where packets go; the zero AddrPort if none is known
	Allowed  []netip.Prefix // inner addresses that are its own
	// Handshake is when the last one was completed; the zero Time if none ever was. While
	// data is sent there is one every two minutes; after three the session is over.
	Handshake      time.Time
	Sent, Received uint64 // bytes of outer packets, those of handshakes included
}

// Attributes of include/uapi/linux/wireguard.h.
const (
	wgGetDevice = 0 // WG_CMD_GET_DEVICE

	wgDeviceIndex = 1
	wgDevicePort  = 6
	wgDeviceMark  = 7
	wgDevicePeers = 8

	wgPeerKey       = 1
	wgPeerEndpoint  = 4
	wgPeerHandshake = 6
	wgPeerReceived  = 7
	wgPeerSent      = 8
	wgPeerAllowed   = 9

	wgAllowedAddr = 2
	wgAllowedMask = 3
)

// AskWireGuard makes TunnelDump ask each device of kind wireguard for its peers. It is a
// function, which only some programs call, and not what TunnelDump always does: the linker
// leaves it out of the plugin, which is loaded for every pod.
func AskWireGuard(l *Live) {
	l.dumpWireGuard = func(d *TunnelDump) error { return askWireGuard(l, d) }
}

// wireGuardOf adds the devices of kind wireguard to a dump, with their peers if
// AskWireGuard was called.
func (l *Live) wireGuardOf(d *TunnelDump) error {
	if l.dumpWireGuard != nil {
		return l.dumpWireGuard(d)
	}
	for _, index := range d.wireGuardLinks() {
		d.WireGuard = append(d.WireGuard, WireGuard{Link: index, Unread: "this program does not ask for them"})
	}
	return nil
}

func (d *TunnelDump) wireGuardLinks() []int {
	return d.indexes(func(t TunnelLink) bool { return t.Kind == "wireguard" })
}

// askWireGuard asks each device. Only CAP_NET_ADMIN may ask; without it the rest of the
// dump is still of use.
func askWireGuard(l *Live, d *TunnelDump) error {
	links := d.wireGuardLinks()
	if len(links) == 0 {
		return nil
	}
	var s *socket
	err := l.enter(func() (err error) {
		s, err = openSocket(unix.NETLINK_GENERIC)
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		clear(s.buffer) // the kernel sends the private key as well
		s.close()
	}()
	family, err := genericFamily(s, "wireguard", l.patience())
	if err != nil {
		return err
	}
	for _, index := range links {
		w, port, err := settledWireGuard(s, family, index, l.patience())
		switch {
		case errors.Is(err, unix.ENODEV):
			continue // the device is gone
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			w = WireGuard{Link: index, Unread: "it takes CAP_NET_ADMIN"}
		case err != nil:
			return err
		}
		d.WireGuard = append(d.WireGuard, w)
		for i := range d.Links {
			if d.Links[i].Index == index {
				d.Links[i].Port = port
			}
		}
	}
	return nil
}

// genericFamily returns the number of a family of generic netlink.
func genericFamily(s *socket, name string, timeout time.Duration) (family int, err error) {
	q := question{kind: nl.GENL_ID_CTRL, parts: []nl.NetlinkRequestData{
		&nl.Genlmsg{Command: nl.GENL_CTRL_CMD_GETFAMILY, Version: 1},
		nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name)),
	}}
	err = s.request(q, 0, timeout, func(b []byte) {
		for kind, value := range attributes(b[min(nl.SizeofGenlmsg, len(b)):]) {
			if kind == nl.GENL_CTRL_ATTR_FAMILY_ID && len(value) >= 2 {
				family = int(binary.NativeEndian.Uint16(value))
			}
		}
	})
	if err == nil && family == 0 {
		err = unix.ENOENT
	}
	return family, err
}

// settledWireGuard asks again where a change interrupted the answer.
func settledWireGuard(s *socket, family, index int, timeout time.Duration) (w WireGuard, port uint16, err error) {
	q := question{kind: family, parts: []nl.NetlinkRequestData{
		&nl.Genlmsg{Command: wgGetDevice, Version: 1},
		nl.NewRtAttr(wgDeviceIndex, nl.Uint32Attr(uint32(index))),
	}}
	parser, err := settled(func() (wireGuardParser, error) {
		p := wireGuardParser{WireGuard: WireGuard{Link: index}}
		err := s.request(q, unix.NLM_F_DUMP, timeout, func(b []byte) { p.parse(b[min(nl.SizeofGenlmsg, len(b)):]) })
		return p, err
	})
	return parser.WireGuard, parser.port, err
}

// A wireGuardParser collects the messages about one device. A peer whose allowed addresses
// do not fit into a message comes again in the next, with the same key.
type wireGuardParser struct {
	WireGuard
	port uint16
	last [32]byte // the key of the last peer
}

func (p *wireGuardParser) parse(b []byte) {
	for kind, value := range attributes(b) {
		switch kind {
		case wgDevicePort:
			if len(value) >= 2 {
				p.port = binary.NativeEndian.Uint16(value)
			}
		case wgDeviceMark:
			p.Mark = number32(value)
		case wgDevicePeers:
			for _, value := range attributes(value) {
				p.parsePeer(value)
			}
		}
	}
}

func (p *wireGuardParser) parsePeer(b []byte) {
	var peer WireGuardPeer
	var key [32]byte
	for kind, value := range attributes(b) {
		switch kind {
		case wgPeerKey:
			copy(key[:], value)
		case wgPeerEndpoint:
			peer.Endpoint = socketAddr(value)
		case wgPeerHandshake: // struct __kernel_timespec
			if len(value) >= 16 {
				if seconds := int64(binary.NativeEndian.Uint64(value)); seconds != 0 {
					peer.Handshake = time.Unix(seconds, int64(binary.NativeEndian.Uint64(value[8:])))
				}
			}
		case wgPeerReceived:
			peer.Received = number64(value)
		case wgPeerSent:
			peer.Sent = number64(value)
		case wgPeerAllowed:
			for _, value := range attributes(value) {
				if allowed, ok := parseAllowed(value); ok {
					peer.Allowed = append(peer.Allowed, allowed)
				}
			}
		}
	}
	if n := len(p.Peers); n > 0 && key == p.last {
		p.Peers[n-1].Allowed = slices.Concat(p.Peers[n-1].Allowed, peer.Allowed)
		return
	}
	p.last, p.Peers = key, append(p.Peers, peer)
}

func parseAllowed(b []byte) (netip.Prefix, bool) {
	var addr netip.Addr
	bits := -1
	for kind, value := range attributes(b) {
		switch kind {
		case wgAllowedAddr: // 0.0.0.0 counts as well
			addr, _ = netip.AddrFromSlice(value)
		case wgAllowedMask:
			if len(value) > 0 {
				bits = int(value[0])
			}
		}
	}
	p := netip.PrefixFrom(addr, bits)
	return p, p.IsValid()
}

// socketAddr reads struct sockaddr_in or sockaddr_in6; the zero AddrPort for others.
func socketAddr(b []byte) netip.AddrPort {
	const portAt, addr4At, addr6At = 2, 4, 8
	if len(b) < addr4At+4 {
		return netip.AddrPort{}
	}
	switch family := binary.NativeEndian.Uint16(b); {
	case family == unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[addr4At:])), port(b[portAt:]))
	case family == unix.AF_INET6 && len(b) >= addr6At+16:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[addr6At:])), port(b[portAt:]))
	}
	return netip.AddrPort{}
}

// number64 returns 0 if the attribute is too short.
func number64(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(b)
}
