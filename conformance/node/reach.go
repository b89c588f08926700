// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/vishvananda/netlink"
)

// Outside is the address of a machine in the node's network. It has a route to the pods
// of 10.88.0.0/24 through the node.
const Outside = "192.0.2.1"

// PlugOutside adds the machine Outside to the network of the node's eth0, and returns the
// path of its namespace.
func (n *Node) PlugOutside() (string, error) {
	path := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(n.lan))
	return path, Within(path, func() error {
		port, err := netlink.LinkByName("port")
		if err != nil {
			return fmt.Errorf("plug in %s: %w", Outside, err)
		}
		addr, err := netlink.ParseAddr(Outside + "/24")
		if err == nil {
			err = netlink.AddrAdd(port, addr)
		}
		if err != nil {
			return fmt.Errorf("plug in %s: %w", Outside, err)
		}
		pods, err := netlink.ParseIPNet("10.88.0.0/24")
		if err == nil {
			err = netlink.RouteAdd(&netlink.Route{LinkIndex: port.Attrs().Index, Dst: pods, Gw: net.ParseIP("192.0.2.10")})
		}
		if err != nil {
			return fmt.Errorf("plug in %s: %w", Outside, err)
		}
		return nil
	})
}

// Serve answers one byte to each connection to an address of a namespace, until the
// listener is closed. A socket stays in the namespace that it was made in.
func Serve(ctx context.Context, path, address string) (net.Listener, error) {
	var server net.Listener
	err := Within(path, func() (err error) {
		server, err = new(net.ListenConfig).Listen(ctx, "tcp", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("serve at %s: %w", address, err)
	}
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return // closed
			}
			_, _ = conn.Write([]byte("."))
			_ = conn.Close()
		}
	}()
	return server, nil
}

// Reach connects from a namespace to a server of Serve, and waits for its byte. It
// returns nil if that comes within the time.
func Reach(ctx context.Context, path, address string, patience time.Duration) error {
	return Within(path, func() error {
		conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, make([]byte, 1))
		return err
	})
}
