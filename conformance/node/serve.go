// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Serve makes the other end of eth0 a host of the node's network: it gets the IP
// address of addr, a route to the pods through the node, and accepts TCP connections on
// addr until the process ends.
func (n *Node) Serve(podCIDR, addr string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return Within(fmt.Sprintf("/proc/self/fd/%d", int(n.lan)), func() error {
		link, err := netlink.LinkByName("port")
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		own, err := netlink.ParseAddr(at.Addr().String() + "/24")
		if err == nil {
			err = netlink.AddrAdd(link, own)
		}
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		_, pods, err := net.ParseCIDR(podCIDR)
		if err == nil {
			err = netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: pods, Gw: net.ParseIP("192.0.2.10")})
		}
		if err != nil {
			return fmt.Errorf("serve: route to pods: %w", err)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		go acceptAll(l)
		return nil
	})
}

// Listen accepts TCP connections on the address in the namespace until the process ends.
func Listen(netns, addr string) error {
	return Within(netns, func() error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		go acceptAll(l)
		return nil
	})
}

func acceptAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}
