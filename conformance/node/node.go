// SPDX-License-Identifier: Apache-2.0

// Package node makes a node that may be broken: a network namespace with a lo
// and an eth0 like those of a machine, sandboxes on it, and the facts of both as
// an outsider sees them. It refuses to work outside scripts/in-node.
package node

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// ErrNotPrivate says that the program does not run in a private node.
var ErrNotPrivate = errors.New("not a private node: run through scripts/in-node, which sets CNI_GUARD_NODE=private")

// A Node is a network namespace that stands for a machine's own.
type Node struct {
	Path string // of the namespace, valid while the node lives

	lan netns.NsHandle // where the far end of eth0 is; eth0 goes with it
}

// New puts the calling goroutine into a fresh node, for good: its thread is
// locked and ends with it, and what it executes starts on the node. The node
// has lo up and an eth0 with an address, a MAC and a default route. Its eth0 is
// one end of a veth pair, so that a plugin can really delete it, as on a node
// that is a container, a virtual NIC, a bond or a VLAN.
func New() (*Node, error) {
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		return nil, ErrNotPrivate
	}
	runtime.LockOSThread()
	lan, err := newNamespace()
	if err != nil {
		return nil, fmt.Errorf("make node: %w", err)
	}
	n := &Node{Path: threadNetns(), lan: lan}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, errors.Join(fmt.Errorf("make node: unshare network: %w", err), n.Close())
	}
	if err := plugIn(lan); err != nil {
		return nil, errors.Join(fmt.Errorf("make node: %w", err), n.Close())
	}
	return n, nil
}

// Close lets go of the network that eth0 is plugged into, and thus of eth0.
func (n *Node) Close() error { return n.lan.Close() }

// threadNetns names the namespace of the calling thread for all threads.
func threadNetns() string {
	return fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
}

// plugIn returns the calling thread's namespace its lo and eth0, with the far end
// up in the namespace lan.
func plugIn(lan netns.NsHandle) error {
	eth0 := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "port", PeerNamespace: netlink.NsFd(int(lan))}
	eth0.Name = "eth0"
	if err := netlink.LinkAdd(eth0); err != nil {
		return fmt.Errorf("add eth0: %w", err)
	}
	if err := setUpIn(lan, "port"); err != nil {
		return err
	}
	for _, name := range []string{"lo", "eth0"} {
		if err := setUp(name); err != nil {
			return err
		}
	}
	return address("eth0", "192.0.2.10/24", "192.0.2.1")
}

// RenameEth0 returns the eth0 of the node at that path another name. Its address and
// its route stay.
func RenameEth0(path, name string) error {
	return Within(path, func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return fmt.Errorf("rename eth0: %w", err)
		}
		routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
		if err != nil {
			return fmt.Errorf("rename eth0: %w", err)
		}
		// The kernel renames no link that is up, and a link that is down has no routes.
		for _, step := range []func() error{
			func() error { return netlink.LinkSetDown(link) },
			func() error { return netlink.LinkSetName(link, name) },
			func() error { return netlink.LinkSetUp(link) },
		} {
			if err := step(); err != nil {
				return fmt.Errorf("rename eth0: %w", err)
			}
		}
		for _, route := range routes {
			if route.Gw == nil {
				continue // the kernel adds it with the address
			}
			if err := netlink.RouteAdd(&route); err != nil {
				return fmt.Errorf("rename eth0: route through %s: %w", name, err)
			}
		}
		return nil
	})
}

// AddAddress gives a link of the namespace at that path another address, such as
// "198.51.100.53/32".
func AddAddress(path, name, cidr string) error {
	return withHandle(path, func(h *netlink.Handle) error {
		link, err := h.LinkByName(name)
		if err != nil {
			return fmt.Errorf("address %s: %w", name, err)
		}
		addr, err := netlink.ParseAddr(cidr)
		if err == nil {
			err = h.AddrAdd(link, addr)
		}
		if err != nil {
			return fmt.Errorf("address %s: %w", name, err)
		}
		return nil
	})
}

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

func setUpIn(ns netns.NsHandle, name string) error {
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return h.LinkSetUp(link)
}

func address(name, cidr, gateway string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("address %s: %w", name, err)
	}
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return fmt.Errorf("address %s: %w", name, err)
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return fmt.Errorf("address %s: %w", name, err)
	}
	via, err := netlink.ParseAddr(gateway + "/32")
	if err != nil {
		return fmt.Errorf("address %s: %w", name, err)
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: via.IP}); err != nil {
		return fmt.Errorf("route through %s: %w", name, err)
	}
	return nil
}
