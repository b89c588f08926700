// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// patience bounds what the kernel does in the background: it takes down a
// namespace within milliseconds, on a loaded machine within a second or two.
const patience = 30 * time.Second

// AwaitGone waits until the node has no link of that name. The kernel deletes
// what reached into a sandbox some time after the sandbox ended.
func (n *Node) AwaitGone(link string) error {
	ns, err := netns.GetFromPath(n.Path)
	if err != nil {
		return fmt.Errorf("await end of %s: %w", link, err)
	}
	defer ns.Close()
	updates, done := make(chan netlink.LinkUpdate), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribeAt(ns, updates, done); err != nil {
		return fmt.Errorf("await end of %s: %w", link, err)
	}
	deadline := time.After(patience)
	for {
		switch _, err := netlink.LinkByName(link); {
		case errors.As(err, new(netlink.LinkNotFoundError)):
			return nil
		case err != nil:
			return fmt.Errorf("await end of %s: %w", link, err)
		}
		select {
		case <-updates:
		case <-deadline:
			return fmt.Errorf("await end of %s: still there after %s", link, patience)
		}
	}
}
