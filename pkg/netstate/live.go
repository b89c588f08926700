// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds each answer of the kernel.
const patience = time.Second

// Live is a namespace of the running kernel. Its sockets were opened inside the
// namespace, so the calling thread never has to go there for them.
type Live struct {
	enter  func(func() error) error
	socket *socket
	strict bool // the kernel filters dumps by link

	deadline time.Time // zero: none

	dumpWireGuard func(*TunnelDump) error // see AskWireGuard
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

// open opens the socket. It runs in the namespace.
func (l *Live) open() (err error) {
	if l.socket, err = openSocket(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	l.strict = l.setStrict(true) == nil
	return nil
}

// openNetfilter opens a socket for connection tracking and rules, in a visit to the
// namespace.
func (l *Live) openNetfilter() (s *socket, err error) {
	err = l.enter(func() (err error) {
		s, err = openSocket(unix.NETLINK_NETFILTER)
		return err
	})
	return s, err
}

// setStrict sets NETLINK_GET_STRICT_CHK (Linux 4.20).
func (l *Live) setStrict(on bool) error {
	value := 0
	if on {
		value = 1
	}
	return l.socket.control(func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, value)
	})
}

// SetDeadline sets the time at which the view stops waiting for answers. Call it
// before the View is used. Without a deadline each answer has a second.
func (l *Live) SetDeadline(deadline time.Time) { l.deadline = deadline }

// patience returns how long to wait for the next answer.
func (l *Live) patience() time.Duration {
	if l.deadline.IsZero() {
		return patience
	}
	return min(patience, max(time.Until(l.deadline), time.Millisecond))
}

// Cookie returns the cookie of the namespace, as Netns.Cookie does, from the socket
// that is already open there.
func (l *Live) Cookie() (cookie uint64, err error) {
	err = l.socket.control(func(fd int) (err error) {
		cookie, err = socketCookie(fd)
		return err
	})
	return cookie, err
}

// Close closes the socket. It does not wait for a request that hangs.
func (l *Live) Close() { l.socket.close() }

// Sysctl implements View. /proc/sys/net shows the namespace of the thread that
// opens the file.
func (l *Live) Sysctl(name string) (value string, err error) {
	err = l.enter(func() (err error) {
		value, err = readSysctl(name)
		return err
	})
	return value, err
}

// SetSysctl implements View.
func (l *Live) SetSysctl(name, value string) error {
	return l.enter(func() error {
		fd, err := openSysctl(name, unix.O_WRONLY)
		if err != nil {
			return fmt.Errorf("write sysctl %s: %w", name, err)
		}
		defer unix.Close(fd)
		if err := retry(func() error { _, err := unix.Write(fd, []byte(value)); return err }); err != nil {
			return fmt.Errorf("write sysctl %s: %w", name, err)
		}
		return nil
	})
}

// readSysctl reads a sysctl of the namespace of the calling thread, without the
// final newline. It does without os.File, which would put some files of /proc/sys
// into the poller of the Go runtime. A read that does not fill the buffer is the last:
// the kernel returns as much as fits.
func readSysctl(name string) (string, error) {
	fd, err := openSysctl(name, unix.O_RDONLY)
	if err != nil {
		return "", fmt.Errorf("read sysctl %s: %w", name, err)
	}
	defer unix.Close(fd)
	var buffer [512]byte
	value := buffer[:0]
	for {
		n, err := unix.Read(fd, value[len(value):cap(value)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read sysctl %s: %w", name, err)
		}
		if value = value[:len(value)+n]; len(value) < cap(value) {
			return strings.TrimSuffix(string(value), "\n"), nil
		}
		value = slices.Grow(value, len(buffer))
	}
}

// openSysctl opens a file below /proc/sys. A name may hold an interface name, which
// a pod chooses, and must not lead elsewhere; there are no symbolic links in
// /proc/sys.
func openSysctl(name string, flags int) (int, error) {
	if !filepath.IsLocal(name) {
		return -1, fs.ErrInvalid
	}
	return open("/proc/sys/"+name, flags|unix.O_CLOEXEC)
}

// open is open(2), again where a signal interrupted it.
func open(path string, flags int) (fd int, err error) {
	err = retry(func() (err error) { fd, err = unix.Open(path, flags, 0); return err })
	return fd, err
}
