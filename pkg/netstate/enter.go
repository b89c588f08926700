// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// enter calls f on a thread that is in the namespace of the descriptor, and has
// the thread back home before it returns. A thread that cannot be brought back is
// thrown away: its goroutine ends with the lock held, and the Go runtime ends the
// thread with it. So no other goroutine ever runs in a pod's namespace. To throw
// every thread away would do without the way back, and costs eighteen times as much.
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
			// No procfs, no way back, and the main thread cannot be thrown away.
			// While it is locked here, the next goroutine gets another.
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
