// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// A Network is nodes on one switch.
type Network struct {
	Nodes  []*Node
	fabric *thread // the namespace of the switch
}

// NewNetwork makes so many nodes, each with a route through its tunnel to every
// other's block, and the firewall in place. Nobody has sent anything yet.
func NewNetwork(nodes int) (*Network, error) {
	fabric, err := newThread()
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	l := &Network{fabric: fabric}
	if err := fabric.do(makeSwitch); err != nil {
		return nil, errors.Join(fmt.Errorf("make network: %w", err), l.Close())
	}
	for range nodes {
		if _, err := l.boot(); err != nil {
			return nil, errors.Join(fmt.Errorf("make network: %w", err), l.Close())
		}
	}
	for _, n := range l.Nodes {
		if err := n.do(func() error { return n.join(l.Nodes) }); err != nil {
			return nil, errors.Join(fmt.Errorf("make network: %w", err), l.Close())
		}
	}
	return l, nil
}

// boot adds a node that nobody has a route to.
func (l *Network) boot() (*Node, error) {
	n, err := newNode(len(l.Nodes), l.fabric)
	if err == nil {
		l.Nodes = append(l.Nodes, n)
	}
	return n, err
}

// introduce returns the newest node routes to all others, and them routes to it.
func (l *Network) introduce() error {
	newest := l.Nodes[len(l.Nodes)-1]
	for _, n := range l.Nodes {
		err := n.do(func() error {
			if n == newest {
				return n.join(l.Nodes)
			}
			return n.learn(newest)
		})
		if err != nil {
			return fmt.Errorf("introduce %s: %w", newest.Name, err)
		}
	}
	return nil
}

// Close ends the threads, and with them the namespaces and what is in them.
func (l *Network) Close() error {
	var errs []error
	for _, n := range l.Nodes {
		errs = append(errs, n.close())
	}
	l.fabric.end()
	return errors.Join(errs...)
}

const switchName = "switch"

func makeSwitch() error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: switchName}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("make switch: %w", err)
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("make switch: %w", err)
	}
	return nil
}

// outer is the node's own address.
func outer(node int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(node + 1)}) }

// block is what Calico's IPAM gives a node to hand out: a /26.
func block(node int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 244, byte(node), 64}), 26)
}

// inner is the address of the node's tunl0: the first that its IPAM handed out.
func inner(node int) netip.Addr { return block(node).Addr() }
