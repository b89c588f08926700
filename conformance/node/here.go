// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"

	"github.com/vishvananda/netns"
)

// Here makes a node of the namespace that the whole process is in, which
// scripts/in-node created for it. It is like New, but what any goroutine executes
// starts on the node. A process can do this once.
func Here() (*Node, error) {
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		return nil, ErrNotPrivate
	}
	// Not /proc/PID/ns/net: that is the main thread's namespace, and Go may use the
	// main thread for the goroutine that creates the other namespace.
	own, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("make node: %w", err)
	}
	lan, err := newNamespace()
	if err != nil {
		_ = own.Close()
		return nil, err
	}
	if err := plugIn(lan); err != nil {
		_, _ = lan.Close(), own.Close()
		return nil, fmt.Errorf("make node: %w", err)
	}
	return &Node{Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(own)), lan: lan}, nil
}
