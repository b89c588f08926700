// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"runtime"

	"github.com/vishvananda/netns"
)

// Within runs do in the namespace, on a thread that is thrown away: what it
// executes starts there.
func Within(path string, do func() error) error {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("enter %s: %w", path, err)
	}
	defer ns.Close()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			done <- fmt.Errorf("enter %s: %w", path, err)
			return
		}
		done <- do()
	}()
	return <-done
}
