// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// enter calls f on a thread that is in the namespace of the descriptor, and returns
// after the thread is back home. A thread that cannot be brought back is discarded:
// its goroutine ends with the lock held, and the Go runtime ends the thread with it.
// So no other goroutine ever runs in a pod's namespace. To discard every thread would
// need no way back, and costs eighteen times as much.
func enter(fd int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		switch home, err := netns.Get(); {
		case err == nil:
			answer := visit(fd, f)
			if netns.Set(home) == nil {
				runtime.UnlockOSThread()
			}
			home.Close()
			done <- answer
		case unix.Gettid() == unix.Getpid():
			// Without procfs there is no way back, and the main thread cannot be
			// discarded. While it is locked here, the next goroutine gets another.
			defer runtime.UnlockOSThread()
			done <- enter(fd, f)
		default:
			done <- visit(fd, f)
		}
	}()
	return <-done
}

// visit moves the thread that it runs on and calls f.
func visit(fd int, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in namespace: %v", p)
		}
	}()
	if err := netns.Set(netns.NsHandle(fd)); err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	return f()
}

// Cookie returns the namespace's cookie (SO_NETNS_COOKIE, Linux 5.14), which the
// kernel never reuses within one boot. Cookies have no order, and no meaning
// beyond equality.
func (n *Netns) Cookie() (uint64, error) {
	if n.file == nil {
		return 0, fmt.Errorf("read cookie of %s: no namespace is open", n.Path)
	}
	defer runtime.KeepAlive(n.file) // or a collection may close it under the visit
	return cookieOf(int(n.file.Fd()))
}

func cookieOf(fd int) (cookie uint64, err error) {
	err = enter(fd, func() (err error) {
		cookie, err = cookieHere()
		return err
	})
	return cookie, err
}

// cookieHere returns the cookie of the namespace that the thread is in.
func cookieHere() (uint64, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(s)
	return socketCookie(s)
}

// socketCookie returns the cookie of the namespace that the socket was opened in.
func socketCookie(socket int) (uint64, error) {
	cookie, err := unix.GetsockoptUint64(socket, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return 0, fmt.Errorf("get SO_NETNS_COOKIE: %w", err)
	}
	return cookie, nil
}

// BootID identifies the boot. Cookies of another boot mean nothing.
func BootID() (string, error) {
	id, err := readSysctl("kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot ID: %w", err)
	}
	return id, nil
}
