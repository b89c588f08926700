// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// patience bounds each answer of the kernel.
const patience = time.Second

// Live is a namespace of the running kernel. Its sockets were opened inside the
// namespace, so that the calling thread never needs to go there.
type Live struct {
	enter  func(func() error) error
	socket *nl.SocketHandle // for what is asked on every call of a plugin
	strict bool             // the kernel filters address dumps by link

	deadline time.Time // zero: none

	mu      sync.Mutex
	library *netlink.Handle // for everything else; nil until it is needed
}

var _ View = (*Live)(nil)

// OpenNode opens the namespace that this process is in.
func OpenNode() (*Live, error) {
	l := &Live{enter: func(f func() error) error { return f() }}
	return l, l.enter(l.open)
}

// View opens the namespace that n holds.
func (n *Netns) View() (*Live, error) {
	if n.file == nil {
		return nil, fmt.Errorf("view %s: no namespace is open", n.Path)
	}
	l := &Live{enter: func(f func() error) error {
		defer runtime.KeepAlive(n.file) // or a collection may close it under the visit
		return enter(int(n.file.Fd()), f)
	}}
	return l, l.enter(l.open)
}

// open makes the socket; it runs in the namespace.
func (l *Live) open() error {
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink socket: %w", err)
	}
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	_ = socket.SetReceiveTimeout(&timeout) // the engine has a deadline of its own
	// NETLINK_GET_STRICT_CHK: Linux 4.20.
	l.strict = unix.SetsockoptInt(socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1) == nil
	l.socket = &nl.SocketHandle{Socket: socket}
	return nil
}

// handle opens the library's handle, which has a socket of its own, in a visit to
// the namespace. Most calls of a plugin change nothing and never need it.
func (l *Live) handle() (*netlink.Handle, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.library != nil {
		return l.library, nil
	}
	err := l.enter(func() (err error) {
		if l.library, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
			return fmt.Errorf("open netlink socket: %w", err)
		}
		return l.library.SetSocketTimeout(l.patience())
	})
	return l.library, err
}

// SetDeadline sets when all answers must be there: none is waited for longer. It is
// called before the View is used. Without a deadline each answer has a second.
func (l *Live) SetDeadline(deadline time.Time) { l.deadline = deadline }

// patience is how long to wait for the next answer.
func (l *Live) patience() time.Duration {
	if l.deadline.IsZero() {
		return patience
	}
	return min(patience, max(time.Until(l.deadline), time.Millisecond))
}

// request makes a request that goes through the socket.
func (l *Live) request(kind, flags int) *nl.NetlinkRequest {
	if p := l.patience(); p < patience {
		timeout := unix.NsecToTimeval(p.Nanoseconds())
		_ = l.socket.Socket.SetReceiveTimeout(&timeout)
	}
	r := nl.NewNetlinkRequest(kind, flags)
	r.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: l.socket}
	return r
}

// Cookie gives the cookie of the namespace, as Netns.Cookie does, from a socket
// that is already open there.
func (l *Live) Cookie() (uint64, error) {
	defer runtime.KeepAlive(l)
	cookie, err := unix.GetsockoptUint64(l.socket.Socket.GetFd(), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("get SO_NETNS_COOKIE: %w", err)
	}
	return cookie, nil
}

// Close closes the sockets.
func (l *Live) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.socket.Close()
	if l.library != nil {
		l.library.Close()
	}
}

// settled repeats a dump that a change in the kernel interrupted: what came of
// it may lack entries or have them twice.
func settled[R any](dump func() (R, error)) (R, error) {
	const attempts = 5
	for i := 1; ; i++ {
		r, err := dump()
		if !errors.Is(err, netlink.ErrDumpInterrupted) || i == attempts {
			return r, err
		}
	}
}

// errnoMeaning makes the errors of netlink comparable with those of package fs.
func errnoMeaning(err error) error {
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) || errors.Is(err, unix.ENODEV) {
		return fs.ErrNotExist
	}
	return err
}
