// SPDX-License-Identifier: Apache-2.0

package echo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// reportDestination has the kernel report the address that each datagram was sent to. The
// answer must come from there: a node has one address for each tunnel.
func reportDestination(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		// A socket of IPv6 gets datagrams of IPv4 as well, with either kind of message.
		four := unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		six := unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		if four != nil && six != nil {
			set = fmt.Errorf("set IP_PKTINFO: %w", four)
		}
	})
	return errors.Join(err, set)
}

func (s *Server) serveUDP(ctx context.Context) error {
	buffer, control := make([]byte, maxMessage), make([]byte, 256)
	answered, second := 0, time.Now()
	for {
		n, length, _, from, err := s.udp.ReadMsgUDPAddrPort(buffer, control)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if !pause(ctx, err) {
				return fmt.Errorf("receive echo requests: %w", err)
			}
			continue
		}
		if now := time.Now(); now.Sub(second) >= time.Second {
			answered, second = 0, now
		}
		if answered >= maxPerSecond || !answerTo(buffer[:n]) {
			continue
		}
		answered++
		// An answer that cannot be sent is lost, as one on the way may be.
		_, _, _ = s.udp.WriteMsgUDPAddrPort(buffer[:n], fromDestination(control[:length]), from)
	}
}

// fromDestination returns the control message that sends an answer from the address to
// which its request came; nil if the kernel did not report it.
func fromDestination(control []byte) []byte {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			info := new(unix.Inet4Pktinfo) // without a device: routes decide
			copy(info.Spec_dst[:], m.Data[8:12])
			return unix.PktInfo4(info)
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			info := new(unix.Inet6Pktinfo)
			copy(info.Addr[:], m.Data[:16])
			if net.IP(m.Data[:16]).IsLinkLocalUnicast() {
				info.Ifindex = binary.NativeEndian.Uint32(m.Data[16:])
			}
			return unix.PktInfo6(info)
		}
	}
	return nil
}
