// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// patience bounds what the kernel does in the background. It takes down a namespace
// within milliseconds, but one after the other for the whole machine: beside tests that
// end many namespaces it was seen to take more than 30 seconds.
const patience = 5 * time.Minute

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
