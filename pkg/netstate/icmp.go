// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An ICMPConn is a raw ICMP socket of one family in one namespace. It may be sent
// through and received from at the same time.
type ICMPConn interface {
	// Send sends one ICMP message, without an IP header. The kernel fills in the
	// checksum of ICMPv6, but not that of ICMP.
	Send(message []byte, to netip.Addr) error
	// Receive waits for the next ICMP message of the namespace, for whatever socket, and
	// returns its length and its sender. A message that is longer than the buffer is cut.
	// The error wraps os.ErrDeadlineExceeded once the deadline has passed.
	Receive(buffer []byte) (n int, from Sender, err error)
	// ForbidFragments sets the "don't fragment" bit of what is sent from now on, whatever
	// the kernel has learned of the path (IP_PMTUDISC_PROBE).
	ForbidFragments() error
	// SetDeadline sets the time at which Send and Receive give up.
	SetDeadline(time.Time) error
	// Close ends Send and Receive, and closes the socket.
	Close() error
}

// A Sender is where an ICMP message came from.
type Sender struct {
	// Addr is the source address, which anybody may have written there.
	Addr netip.Addr
	// Link is the index of the device that received the message: a tunnel, not the
	// device below it; Loopback for a message of the namespace itself, and 0 if the kernel
	// does not report it.
	Link int
}

// Loopback is the index that lo has in every namespace (LOOPBACK_IFINDEX of Linux).
const Loopback = 1

// icmpBuffer holds the answers of some thousand peers to a burst. The default of
// the kernel holds those of less than three hundred.
const icmpBuffer = 4 << 20

// ListenICMP implements View. The socket is opened inside the namespace and stays
// there, whatever thread uses it.
func (l *Live) ListenICMP(six bool) (ICMPConn, error) {
	var fd int
	err := l.enter(func() (err error) {
		fd, err = openICMP(six)
		return err
	})
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; it takes CAP_NET_RAW", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s socket: %w", icmpName(six), err)
	}
	file := os.NewFile(uintptr(fd), icmpName(six)) // knows that the descriptor does not block
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open %s socket: %w", icmpName(six), err)
	}
	return &liveICMP{File: file, raw: raw, six: six}, nil
}

func icmpName(six bool) string {
	if six {
		return "ICMPv6"
	}
	return "ICMP"
}

// openICMP opens the socket in the namespace of the thread. Its filter passes only
// answers and errors: an ADD must not wake up for other messages to the pod or the node.
func openICMP(six bool) (int, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if six {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, err
	}
	// An answer needs none of these. They make it cheap, and report the device that
	// received it.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, icmpBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, icmpBuffer) // up to net.core.rmem_max
	}
	if six {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		_ = unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, 1, icmp6Filter())
	} else {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		const echoReply, unreachable, timeExceeded = 1 << 0, 1 << 3, 1 << 11
		const icmpFilter = 1 // ICMP_FILTER of linux/icmp.h; a bit set keeps a type out
		drop := ^uint32(echoReply | unreachable | timeExceeded)
		_ = unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, int(int32(drop)))
	}
	return fd, nil
}

// icmp6Filter drops every type but the errors 1 and 3 and the echo reply 129
// (RFC 3542, section 3.2; Linux has the bits the other way round: set is dropped).
func icmp6Filter() *unix.ICMPv6Filter {
	f := new(unix.ICMPv6Filter)
	for i := range f.Data {
		f.Data[i] = ^uint32(0)
	}
	for _, t := range []int{1, 3, 129} {
		f.Data[t/32] &^= 1 << (t % 32)
	}
	return f
}

// liveICMP is a socket behind the poller of the Go runtime. Package net would do
// the same for eighty kilobytes more in every plugin.
type liveICMP struct {
	*os.File
	raw syscall.RawConn
	six bool
}

// Send implements ICMPConn.
func (c *liveICMP) Send(message []byte, to netip.Addr) error {
	var sockaddr unix.Sockaddr
	if c.six {
		sockaddr = &unix.SockaddrInet6{Addr: to.As16()}
	} else {
		sockaddr = &unix.SockaddrInet4{Addr: to.Unmap().As4()}
	}
	var sent error
	err := c.raw.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), message, 0, sockaddr)
		return !again(sent)
	})
	if err = errors.Join(err, sent); err != nil {
		return fmt.Errorf("send to %s: %w", to, err)
	}
	return nil
}

// ForbidFragments implements ICMPConn.
func (c *liveICMP) ForbidFragments() error {
	level, option, value := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if c.six {
		level, option, value = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
	}
	var set error
	err := c.raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), level, option, value) })
	if err = errors.Join(err, set); err != nil {
		return fmt.Errorf("forbid fragments: %w", err)
	}
	return nil
}

// Receive implements ICMPConn.
func (c *liveICMP) Receive(buffer []byte) (n int, from Sender, err error) {
	var received error
	var control [64]byte // an in6_pktinfo and its header take 40
	err = c.raw.Read(func(fd uintptr) bool {
		var sockaddr unix.Sockaddr
		var length int
		if n, length, _, sockaddr, received = unix.Recvmsg(int(fd), buffer, control[:], 0); received == nil {
			from = Sender{Addr: senderOf(sockaddr), Link: linkOf(control[:length])}
		}
		return !again(received)
	})
	if err = errors.Join(err, received); err != nil {
		return 0, Sender{}, fmt.Errorf("receive from %s socket: %w", icmpName(c.six), err)
	}
	if !c.six {
		n = withoutHeader(buffer[:n])
	}
	return n, from, nil
}

// linkOf returns the index of the device in the control messages of a packet: of struct
// in_pktinfo it is the first field, of struct in6_pktinfo the one behind the address.
func linkOf(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 4:
			return int(binary.NativeEndian.Uint32(m.Data))
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 20:
			return int(binary.NativeEndian.Uint32(m.Data[16:]))
		}
	}
	return 0
}

// again reports whether the poller must call again when the socket is ready.
func again(err error) bool { return errors.Is(err, unix.EAGAIN) }

func senderOf(sockaddr unix.Sockaddr) netip.Addr {
	switch a := sockaddr.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}

// withoutHeader moves the message to the front of the buffer, and returns its length: an
// IPv4 socket returns the IP header as well (raw(7)).
func withoutHeader(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	header := int(packet[0]&0x0f) * 4
	if header > len(packet) {
		return 0
	}
	return copy(packet, packet[header:])
}
