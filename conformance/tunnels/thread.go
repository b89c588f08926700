// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A thread is in a network namespace of its own for as long as it lives. What is
// executed on it starts there.
type thread struct {
	netns string // path of the namespace
	work  chan func()
	ended chan struct{}
}

func newThread() (*thread, error) {
	t := &thread{work: make(chan func()), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(t.ended)
		runtime.LockOSThread() // never unlocked: it ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			started <- fmt.Errorf("unshare network: %w", err)
			return
		}
		t.netns = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		started <- nil
		for f := range t.work {
			f()
		}
	}()
	return t, <-started
}

// do runs f on the thread.
func (t *thread) do(f func() error) error {
	done := make(chan error, 1)
	t.work <- func() { done <- f() }
	return <-done
}

func (t *thread) end() {
	close(t.work)
	<-t.ended
}
