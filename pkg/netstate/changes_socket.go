// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A changeSocket is what one socket of a watch subscribes to.
type changeSocket struct {
	protocol int
	buffer   int // bytes in the kernel
	groups   []int
	filter   []unix.SockFilter // keeps messages that do not matter from waking the reader
	collect  time.Duration     // the pause after a report
}

// A changeWatch reads one socket.
type changeWatch struct {
	file    *os.File // the socket
	gate    *os.File // an epoll instance that has the socket in it
	collect time.Duration
	parse   func(kind uint16, payload []byte) (Change, bool)
	changes chan []Change
	buffer  []byte
	batch   []Change
	lost    bool // changes were lost, and that was not sent yet
}

// watchSockets reads sockets until ctx ends or one of them breaks, and then closes the
// channel.
func (l *Live) watchSockets(ctx context.Context, parse func(uint16, []byte) (Change, bool), sockets ...changeSocket) (<-chan []Change, error) {
	changes := make(chan []Change, changeBatches)
	var watches []*changeWatch
	for _, s := range sockets {
		w := &changeWatch{collect: s.collect, parse: parse, changes: changes, buffer: make([]byte, receiveBuffer)}
		err := l.enter(func() error { return w.open(s) })
		if err != nil {
			for _, w := range watches {
				w.close()
			}
			return nil, err
		}
		watches = append(watches, w)
	}
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, w := range watches {
		all.Go(func() {
			defer cancel()
			w.run(ctx)
		})
	}
	go func() {
		defer cancel()
		all.Wait()
		close(changes)
	}()
	return changes, nil
}

// open subscribes. The socket belongs to the namespace of the calling thread.
//
// The Go runtime would wake up for each message, also while nothing waits for one: it polls
// descriptors edge-triggered. So it polls another epoll instance in the place of the socket,
// which reports the socket once (EPOLLONESHOT) and then not until it is armed again.
func (w *changeWatch) open(s changeSocket) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, s.protocol)
	if err != nil {
		return err
	}
	w.file = os.NewFile(uintptr(fd), "netlink")                                        // does not poll a descriptor that blocks
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, s.buffer) != nil { // it takes CAP_NET_ADMIN
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, s.buffer) // bounded by net.core.rmem_max
	}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(s.filter)), Filter: &s.filter[0]})
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	for _, group := range s.groups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err == nil {
		w.gate, err = newGate(fd)
	}
	if err != nil {
		w.close()
	}
	return err
}

// newGate returns an epoll instance that does not block and has a socket in it.
func newGate(fd int) (*os.File, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	err = unix.SetNonblock(epoll, true)
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT})
	}
	if err != nil {
		_ = unix.Close(epoll)
		return nil, err
	}
	return os.NewFile(uintptr(epoll), "epoll"), nil
}

func (w *changeWatch) close() {
	if w.gate != nil {
		_ = w.gate.Close()
	}
	_ = w.file.Close()
}

// run reads until ctx ends or the socket fails.
func (w *changeWatch) run(ctx context.Context) {
	defer w.close()
	defer context.AfterFunc(ctx, func() { _ = w.gate.Close() })() // ends the wait below
	gate, err := w.gate.SyscallConn()
	if err != nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := w.collect
	for socket := int(w.file.Fd()); ctx.Err() == nil; {
		waited, err := w.await(gate)
		if err != nil || w.drain(socket) != nil {
			return
		}
		w.send()
		if pause = min(2*pause, stormFactor*w.collect); waited {
			pause = w.collect
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if w.arm(gate, socket) != nil {
			return
		}
	}
}

// await waits until the socket has something to read, and reports whether it had to wait.
func (w *changeWatch) await(gate syscall.RawConn) (waited bool, err error) {
	var failed error
	tries := 0
	err = gate.Read(func(epoll uintptr) bool {
		tries++
		var events [1]unix.EpollEvent
		n, err := unix.EpollWait(int(epoll), events[:], 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = err
		}
		return n > 0 || failed != nil
	})
	return tries > 1, errors.Join(err, failed)
}

// arm lets the gate report the socket again, and at once if something has arrived.
func (w *changeWatch) arm(gate syscall.RawConn, socket int) error {
	var failed error
	err := gate.Control(func(epoll uintptr) {
		failed = unix.EpollCtl(int(epoll), unix.EPOLL_CTL_MOD, socket, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT})
	})
	return errors.Join(err, failed)
}

// drain reads all that has arrived.
func (w *changeWatch) drain(fd int) error {
	for range 4096 { // a flood must not keep what was read from being reported
		n, from, err := unix.Recvfrom(fd, w.buffer, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOBUFS):
			w.lost = true
			continue
		case err != nil:
			return err
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 { // any process may send to the socket
			continue
		}
		w.messages(w.buffer[:n])
	}
	return nil
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
