// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

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

// openICMP opens the socket in the namespace of the thread. Its filter lets pass
// answers and errors only: an ADD must not wake up for whatever else the pod or
// the node receives.
func openICMP(six bool) (int, error) {
	domain, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if six {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	fd, err := unix.Socket(domain, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return -1, err
	}
	// None of these is needed for a right answer, only for a cheap one.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, icmpBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, icmpBuffer) // up to net.core.rmem_max
	}
	if six {
		_ = unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, 1, icmp6Filter())
	} else {
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

// Receive implements ICMPConn.
func (c *liveICMP) Receive(buffer []byte) (n int, from netip.Addr, err error) {
	var received error
	err = c.raw.Read(func(fd uintptr) bool {
		var sockaddr unix.Sockaddr
		if n, sockaddr, received = unix.Recvfrom(int(fd), buffer, 0); received == nil {
			from = senderOf(sockaddr)
		}
		return !again(received)
	})
	if err = errors.Join(err, received); err != nil {
		return 0, from, fmt.Errorf("receive from %s socket: %w", icmpName(c.six), err)
	}
	if !c.six {
		n = withoutHeader(buffer[:n])
	}
	return n, from, nil
}

// again: the poller is to call once more when the socket is ready.
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

// withoutHeader moves the message to the front of the buffer: raw(7), an IPv4
// socket gives the IP header as well. It gives the length that is left.
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
