// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// enter calls f on a thread that is in the namespace of the descriptor. The
// goroutine ends with its thread still locked, so the Go runtime throws the
// thread away: there is no way back that could fail and leave another goroutine
// in a pod's namespace.
func enter(fd int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The main thread cannot be thrown away. The runtime would park it
			// where it is, and /proc/self/ns/net would show the pod's namespace,
			// and keep it, until the process ends. While it is locked here, the
			// next goroutine gets another.
			defer runtime.UnlockOSThread()
			done <- enter(fd, f)
			return
		}
		done <- enterThread(fd, f)
	}()
	return <-done
}

// enterThread moves the thread that it runs on, for good, and calls f.
func enterThread(fd int, f func() error) (err error) {
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
