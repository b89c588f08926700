// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// errEarly means that do never returned.
var errEarly = errors.New("what was to run in the namespace ended early")

// Within runs do in the namespace, on a thread that is thrown away: what it
// executes starts there. It returns even if do ends its goroutine, as t.Fatal does.
func Within(path string, do func() error) error {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	defer ns.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := errEarly
		defer func() { done <- err }()
		if e := netns.Set(ns); e != nil {
			err = fmt.Errorf("enter %s: %w", path, e)
			return
		}
		err = do()
	}()
	return <-done
}
