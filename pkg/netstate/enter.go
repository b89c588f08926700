// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// enter calls f on a thread that is in the namespace of the descriptor. The
// goroutine ends with its thread still locked, so the Go runtime throws the
// thread away: there is no way back that could fail and leave another goroutine
// in a pod's namespace.
func enter(fd int, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic in namespace: %v", p)
			}
			done <- err
		}()
		if err = netns.Set(netns.NsHandle(fd)); err != nil {
			err = fmt.Errorf("enter namespace: %w", err)
			return
		}
		err = f()
	}()
	return <-done
}
