// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Parts of the message of AskMAC: the header of RFC 7348, a frame of Ethernet to all, and
// the ARP request of RFC 826.
const (
	vxlanHeader, etherHeader, arpLen = 8, 14, 28

	etherTypeARP              = 0x0806
	arpRequest, arpReply      = 1, 2
	arpOperation              = 6
	arpSenderMAC              = 8
	arpSenderIP               = 14
	arpTargetIP               = 24
	vxlanFlagVNI         byte = 0x08
)

// askOver asks the questions of one tunnel. Requests leave from an ordinary UDP socket,
// as the tunnel would send them to the MAC that is in doubt. Answers are read from the
// tunnel by a packet socket, so that nothing in the kernel's tables changes.
func (l *Live) askOver(ctx context.Context, link int, questions []MACQuestion, at []int, macs []MAC) error {
	answers, err := l.listenARP(link)
	if err != nil {
		return err
	}
	defer answers.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	if err := answers.SetReadDeadline(deadline); err != nil {
		return err
	}
	waiting := map[netip.Addr]int{}
	for _, i := range at {
		q := questions[i]
		own, ok := ipv4Of(q.Tunnel)
		if !ok || !q.Inner.Is4() || q.Tunnel.Kind != "vxlan" {
			continue
		}
		if l.sendARP(ctx, q, own) == nil {
			waiting[q.Inner] = i
		}
	}
	buffer := make([]byte, 256)
	for len(waiting) > 0 {
		n, err := answers.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		addr, mac, ok := parseARPReply(buffer[:n])
		if i, asked := waiting[addr]; ok && asked {
			macs[i] = mac
			delete(waiting, addr)
		}
	}
	return nil
}

// listenARP opens a packet socket for the ARP packets that a link receives.
func (l *Live) listenARP(link int) (*os.File, error) {
	var fd int
	err := l.enter(func() (err error) {
		protocol := int(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, etherTypeARP)))
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return err
		}
		if err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(protocol), Ifindex: link}); err != nil {
			unix.Close(fd)
		}
		return err
	})
	if err != nil {
		return nil, errnoMeaning(err)
	}
	return os.NewFile(uintptr(fd), "ARP"), nil
}

func (l *Live) sendARP(ctx context.Context, q MACQuestion, own netip.Addr) error {
	conn, err := l.Dial(ctx, "udp", netip.AddrPortFrom(q.Outer, q.Tunnel.Port).String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(arpInVXLAN(q, own))
	return err
}

func ipv4Of(t TunnelLink) (netip.Addr, bool) {
	for _, a := range t.Addrs {
		if a.Addr().Is4() {
			return a.Addr(), true
		}
	}
	return netip.Addr{}, false
}

func arpInVXLAN(q MACQuestion, own netip.Addr) []byte {
	b := make([]byte, vxlanHeader+etherHeader+arpLen)
	b[0] = vxlanFlagVNI
	binary.BigEndian.PutUint32(b[4:], q.Tunnel.VNI<<8)
	frame := b[vxlanHeader:]
	copy(frame, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	copy(frame[6:], q.Tunnel.MAC[:])
	binary.BigEndian.PutUint16(frame[12:], etherTypeARP)
	arp := frame[etherHeader:]
	copy(arp, []byte{0, 1, 8, 0, 6, 4, 0, arpRequest}) // Ethernet, IPv4, and their lengths
	copy(arp[arpSenderMAC:], q.Tunnel.MAC[:])
	copy(arp[arpSenderIP:], own.AsSlice())
	copy(arp[arpTargetIP:], q.Inner.AsSlice())
	return b
}

// parseARPReply returns who answers, in a frame of Ethernet.
func parseARPReply(frame []byte) (addr netip.Addr, mac MAC, ok bool) {
	if len(frame) < etherHeader+arpLen || binary.BigEndian.Uint16(frame[12:]) != etherTypeARP {
		return addr, mac, false
	}
	arp := frame[etherHeader:]
	if binary.BigEndian.Uint16(arp[arpOperation:]) != arpReply || string(arp[:6]) != "\x00\x01\x08\x00\x06\x04" {
		return addr, mac, false
	}
	copy(mac[:], arp[arpSenderMAC:])
	return netip.AddrFrom4([4]byte(arp[arpSenderIP:])), mac, mac != MAC{}
}
