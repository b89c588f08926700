// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Facts are what harm to a namespace shows in, seen from outside it.
type Facts struct {
	LoUp    bool   `json:"loUp"`
	HasEth0 bool   `json:"hasEth0"`
	MAC     string `json:"mac,omitempty"` // of eth0
}

// Look returns the facts of the namespace.
func Look(path string) (Facts, error) {
	var f Facts
	err := withHandle(path, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("get lo: %w", err)
		}
		f.LoUp = lo.Attrs().Flags&net.FlagUp != 0
		eth0, err := h.LinkByName("eth0")
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("get eth0: %w", err)
		}
		f.HasEth0, f.MAC = true, eth0.Attrs().HardwareAddr.String()
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("look at %s: %w", path, err)
	}
	return f, nil
}

// withHandle lends a netlink handle of the namespace. Its sockets were opened
// there, so that no program has to enter the namespace.
func withHandle(path string, use func(*netlink.Handle) error) error {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("open namespace: %w", err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	return use(h)
}

// SetLoDown takes lo of the namespace down, as what harms a pod does.
func SetLoDown(path string) error {
	return setLo(path, "down", (*netlink.Handle).LinkSetDown)
}

// SetLoUp brings lo of the namespace up, as an operator does.
func SetLoUp(path string) error {
	return setLo(path, "up", (*netlink.Handle).LinkSetUp)
}

// RemoveLink deletes a link of the namespace. One that is not there is no error.
func RemoveLink(path, name string) error {
	return withHandle(path, func(h *netlink.Handle) error {
		link, err := h.LinkByName(name)
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil
		}
		if err == nil {
			err = h.LinkDel(link)
		}
		if err != nil {
			return fmt.Errorf("remove link %s: %w", name, err)
		}
		return nil
	})
}

// HasIPVLAN reports whether the kernel can put an ipvlan link on that link.
func HasIPVLAN(path, parent string) (has bool, err error) {
	err = withHandle(path, func(h *netlink.Handle) error {
		on, err := h.LinkByName(parent)
		if err != nil {
			return fmt.Errorf("try ipvlan: %w", err)
		}
		try := &netlink.IPVlan{LinkAttrs: netlink.NewLinkAttrs(), Mode: netlink.IPVLAN_MODE_L2}
		try.Name, try.ParentIndex = "try-ipvlan", on.Attrs().Index
		err = h.LinkAdd(try)
		if errors.Is(err, unix.EOPNOTSUPP) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("try ipvlan: %w", err)
		}
		has = true
		return h.LinkDel(try)
	})
	return has, err
}

func setLo(path, state string, set func(*netlink.Handle, netlink.Link) error) error {
	return withHandle(path, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err == nil {
			err = set(h, lo)
		}
		if err != nil {
			return fmt.Errorf("set lo %s: %w", state, err)
		}
		return nil
	})
}
