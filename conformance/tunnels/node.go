// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Node is a machine of the cluster.
type Node struct {
	Name string

	*thread
	number int
	pods   []*Pod
}

// newNode makes a node that is plugged into the switch.
func newNode(number int, fabric *thread) (*Node, error) {
	t, err := newThread()
	if err != nil {
		return nil, err
	}
	n := &Node{Name: fmt.Sprintf("node%d", number), thread: t, number: number}
	plug := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: n.Name}
	err = n.do(func() error {
		if err := netlink.LinkAdd(plug); err != nil {
			return fmt.Errorf("make eth0: %w", err)
		}
		far, err := netlink.LinkByName(n.Name)
		if err != nil {
			return fmt.Errorf("find far end of eth0: %w", err)
		}
		namespace, err := os.Open(fabric.netns)
		if err != nil {
			return fmt.Errorf("open switch: %w", err)
		}
		defer namespace.Close()
		return netlink.LinkSetNsFd(far, int(namespace.Fd()))
	})
	if err == nil {
		err = fabric.do(func() error { return plugIn(n.Name) })
	}
	if err == nil {
		err = n.do(n.configure)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make %s: %w", n.Name, err), n.close())
	}
	return n, nil
}

func plugIn(name string) error {
	bridge, err := netlink.LinkByName(switchName)
	if err != nil {
		return fmt.Errorf("find switch: %w", err)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("plug %s into switch: %w", name, err)
	}
	return netlink.LinkSetUp(link)
}

// configure returns the node what it has before it joins a cluster.
func (n *Node) configure() error {
	for _, link := range []struct {
		name    string
		address netip.Prefix
	}{
		{"lo", netip.MustParsePrefix("127.0.0.1/8")},
		{"eth0", netip.PrefixFrom(outer(n.number), 24)},
		// The kernel makes tunl0, which takes packets from anywhere, in each
		// namespace; Calico gives it an address and sets it up.
		{"tunl0", netip.PrefixFrom(inner(n.number), 32)},
	} {
		if err := setUp(link.name, link.address); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("switch forwarding on: %w", err)
	}
	return firewall()
}

func setUp(name string, address netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	err = netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(address)})
	if err != nil && !errors.Is(err, unix.EEXIST) { // lo has its own already
		return fmt.Errorf("give %s an address: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func (n *Node) close() error {
	var errs []error
	for _, p := range n.pods {
		errs = append(errs, p.close())
	}
	n.end()
	return errors.Join(errs...)
}
