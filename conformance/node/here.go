// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
)

// Here makes a node of the namespace that the whole process is in, which
// scripts/in-node made for it: like New, but what any goroutine executes starts
// on the node. A process can do this once.
func Here() (*Node, error) {
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		return nil, ErrNotPrivate
	}
	lan, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("make node: %w", err)
	}
	if err := plugIn(lan); err != nil {
		_ = lan.Close()
		return nil, fmt.Errorf("make node: %w", err)
	}
	return &Node{Path: fmt.Sprintf("/proc/%d/ns/net", os.Getpid()), lan: lan}, nil
}
