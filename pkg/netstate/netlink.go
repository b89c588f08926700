// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A socket is a netlink socket of the namespace in which it was opened. It serves
// one request at a time, and several goroutines may use it.
//
// It blocks. The kernel answers within sendmsg(2), so the answer is there before it
// is read. On a socket in the poller of the Go runtime, each answer would wake a
// thread that wakes the reader, which costs more than the request. SO_RCVTIMEO
// bounds a read.
type socket struct {
	file *os.File // closes the descriptor once it is no longer used
	raw  syscall.RawConn

	mu       sync.Mutex // held during a request
	sequence uint32
	timeout  time.Duration // the SO_RCVTIMEO that is set; 0: none yet
	buffer   []byte        // nil before the first request

	// enough reports, after an answer, that no more are wanted; the request then ends with
	// errTooMany, and the socket is of no more use. nil: never.
	enough func() bool
}

// receiveBuffer is the size of a read. The kernel puts at most 32 KiB into one
// message of a dump (netlink_dump in net/netlink/af_netlink.c).
const receiveBuffer = 64 << 10

// openSocket opens a socket in the namespace of the calling thread.
func openSocket(protocol int) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink") // does not poll a descriptor that blocks
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return &socket{file: file, raw: raw}, nil
}

func (s *socket) close() { _ = s.file.Close() }

// control calls f with the descriptor, which stays open meanwhile.
func (s *socket) control(f func(fd int) error) (err error) {
	if s.raw.Control(func(fd uintptr) { err = f(int(fd)) }) != nil {
		return os.ErrClosed
	}
	return err
}

// A question is a request without its flags, and the type of its answers.
type question struct {
	kind, answer int // RTM_GETLINK and RTM_NEWLINK, for example; answer 0 accepts every type
	parts        []nl.NetlinkRequestData
}

// request sends one request and calls answer with the payload of each message that
// answers it. The payload is valid only during that call. No wait for the kernel
// takes longer than timeout; the error is EAGAIN then.
func (s *socket) request(q question, flags int, timeout time.Duration, answer func([]byte)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence++
	r := nl.NewNetlinkRequest(q.kind, flags)
	r.Seq, r.Data = s.sequence, q.parts
	message := r.Serialize()
	return s.control(func(fd int) error {
		if err := s.setTimeout(fd, timeout); err != nil {
			return err
		}
		if err := retry(func() error { return unix.Sendto(fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) }); err != nil {
			return err
		}
		return s.receive(fd, q.answer, time.Now().Add(timeout), answer)
	})
}

func (s *socket) setTimeout(fd int, timeout time.Duration) error {
	if s.timeout == timeout {
		return nil
	}
	tv := unix.NsecToTimeval(timeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return fmt.Errorf("set SO_RCVTIMEO: %w", err)
	}
	s.timeout = timeout
	return nil
}

// receive reads until the request is answered. With SO_RCVTIMEO a signal ends a read
// (signal(7)), so that the wait goes on until the deadline.
func (s *socket) receive(fd, kind int, deadline time.Time, answer func([]byte)) error {
	if s.buffer == nil {
		s.buffer = make([]byte, receiveBuffer)
	}
	interrupted := false
	for {
		n, _, flags, from, err := unix.Recvmsg(fd, s.buffer, nil, 0)
		switch sender, ok := from.(*unix.SockaddrNetlink); {
		case errors.Is(err, unix.EINTR) && time.Now().Before(deadline):
			continue
		case errors.Is(err, unix.EINTR):
			return unix.EAGAIN
		case err != nil:
			return err
		case flags&unix.MSG_TRUNC != 0:
			return fmt.Errorf("a message of the kernel is longer than %d bytes", len(s.buffer))
		case !ok || sender.Pid != nl.PidKernel: // any process may send to the socket
			if time.Now().Before(deadline) {
				continue
			}
			return unix.EAGAIN
		}
		done, err := s.answers(s.buffer[:n], kind, &interrupted, answer)
		if done && err == nil && interrupted {
			return nl.ErrDumpInterrupted
		}
		if done || err != nil {
			return err
		}
	}
}

var errCutShort = errors.New("a message of the kernel is cut short")

// answers hands on the messages of one read, and reports whether the last answer of
// the request was among them. Messages of an earlier request, which was given up,
// are skipped.
func (s *socket) answers(b []byte, kind int, interrupted *bool, answer func([]byte)) (done bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, errCutShort
		}
		is, flags, sequence := int(binary.NativeEndian.Uint16(b[4:])), binary.NativeEndian.Uint16(b[6:]), binary.NativeEndian.Uint32(b[8:])
		payload := b[unix.NLMSG_HDRLEN:size]
		b = b[min(aligned(size), len(b)):]
		if sequence != s.sequence {
			continue
		}
		*interrupted = *interrupted || flags&unix.NLM_F_DUMP_INTR != 0
		switch {
		case is == unix.NLMSG_ERROR, is == unix.NLMSG_DONE:
			if errno := -int32(number32(payload)); errno != 0 {
				return true, unix.Errno(errno)
			}
			return true, nil
		case is == kind || kind == 0:
			answer(payload)
			if s.enough != nil && s.enough() {
				return true, errTooMany
			}
		}
		if flags&unix.NLM_F_MULTI == 0 {
			return true, nil
		}
	}
	return false, nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// ask puts a question that has one answer, which parse reads.
func (l *Live) ask(q question, parse func([]byte) error) error {
	answers := 0
	var unparsed error
	err := l.socket.request(q, 0, l.patience(), func(b []byte) { answers++; unparsed = parse(b) })
	switch {
	case err != nil:
		return err
	case answers != 1:
		return fmt.Errorf("the kernel returned %d answers", answers)
	}
	return unparsed
}

// change asks for a change, and returns once the kernel has made it.
func (l *Live) change(kind, flags int, parts ...nl.NetlinkRequestData) error {
	return l.socket.request(question{kind: kind, parts: parts}, unix.NLM_F_ACK|flags, l.patience(), func([]byte) {})
}

// each puts a question that has many answers, and calls answer with each of them.
// Where a change interrupted the dump it asks again, after a call of restart.
func (l *Live) each(q question, restart func(), answer func([]byte)) error {
	_, err := settled(func() (struct{}, error) {
		restart()
		return struct{}{}, l.socket.request(q, unix.NLM_F_DUMP, l.patience(), answer)
	})
	return err
}

// gather collects what parse makes of the answers to one question.
func gather[T any](l *Live, q question, parse func([]byte) []T) ([]T, error) {
	var all []T
	err := l.each(q, func() { all = nil }, func(b []byte) { all = append(all, parse(b)...) })
	if err != nil {
		return nil, err
	}
	return all, nil
}

// settled repeats a dump that a change in the kernel interrupted: its answers may
// lack entries or have them twice.
func settled[R any](dump func() (R, error)) (R, error) {
	const attempts = 5
	for i := 1; ; i++ {
		r, err := dump()
		if !errors.Is(err, nl.ErrDumpInterrupted) || i == attempts {
			return r, err
		}
	}
}

// errnoMeaning makes the errors of netlink comparable with those of package fs.
func errnoMeaning(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return fs.ErrNotExist
	}
	return err
}

// attributes iterates over the attributes of a netlink message, without a copy, and
// ends at the first that is cut short. The library's parser allocates a slice for
// each message; with thousands of routes that is most of the work.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(kind, b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min(aligned(size), len(b)):]
		}
	}
}

// aligned is NLA_ALIGN, and NLMSG_ALIGN.
func aligned(size int) int { return (size + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }

// attrAddr returns the address in an attribute. It returns the zero Addr if there is
// none, and for 0.0.0.0 and ::, which stand for no address in the kernel's messages.
func attrAddr(b []byte) netip.Addr {
	addr, _ := netip.AddrFromSlice(b)
	if addr.IsUnspecified() {
		return netip.Addr{}
	}
	return addr
}

// number32 and port return 0 if the attribute is too short.
func number32(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func port(b []byte) uint16 {
	if len(b) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}
