// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// NodeEnd returns the index of the link on the node that leads to the eth0 of a pod, a
// veth. Path is the pod's namespace.
func NodeEnd(path string) (index int, err error) {
	err = withHandle(path, func(h *netlink.Handle) error {
		eth0, err := h.LinkByName("eth0")
		if err != nil {
			return fmt.Errorf("find node's end of eth0: %w", err)
		}
		index = eth0.Attrs().ParentIndex
		return nil
	})
	return index, err
}

// Bridge returns the name of the bridge that a link of the namespace is a port of, or "".
func Bridge(path string, index int) (name string, err error) {
	err = withHandle(path, func(h *netlink.Handle) error {
		link, err := h.LinkByIndex(index)
		if err != nil {
			return fmt.Errorf("find bridge of link %d: %w", index, err)
		}
		if link.Attrs().MasterIndex == 0 {
			return nil
		}
		bridge, err := h.LinkByIndex(link.Attrs().MasterIndex)
		if err != nil {
			return fmt.Errorf("find bridge of %s: %w", link.Attrs().Name, err)
		}
		name = bridge.Attrs().Name
		return nil
	})
	return name, err
}

// AddBridge adds a bridge to the namespace and sets it up.
func AddBridge(path, name string) error {
	return withHandle(path, func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		bridge := &netlink.Bridge{LinkAttrs: attrs}
		if err := h.LinkAdd(bridge); err != nil {
			return fmt.Errorf("add bridge %s: %w", name, err)
		}
		if err := h.LinkSetUp(bridge); err != nil {
			return fmt.Errorf("set bridge %s up: %w", name, err)
		}
		return nil
	})
}

// Plug makes a link of the namespace a port of a bridge there, whatever it was a port of.
func Plug(path string, index int, bridge string) error {
	return withHandle(path, func(h *netlink.Handle) error {
		link, linkErr := h.LinkByIndex(index)
		to, bridgeErr := h.LinkByName(bridge)
		if err := errors.Join(linkErr, bridgeErr); err != nil {
			return fmt.Errorf("plug link %d into %s: %w", index, bridge, err)
		}
		if err := h.LinkSetMaster(link, to); err != nil {
			return fmt.Errorf("plug %s into %s: %w", link.Attrs().Name, bridge, err)
		}
		return nil
	})
}
