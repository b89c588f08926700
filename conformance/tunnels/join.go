// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"fmt"
	"os/exec"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// join adds the routes that BIRD adds on a node of Calico:
//
//	blackhole 10.244.0.64/26 proto bird
//	10.244.1.64/26 via 192.0.2.2 dev tunl0 proto bird onlink
func (n *Node) join(nodes []*Node) error {
	own := &netlink.Route{Dst: ipNet(block(n.number)), Type: unix.RTN_BLACKHOLE, Protocol: unix.RTPROT_BIRD}
	if err := netlink.RouteAdd(own); err != nil {
		return fmt.Errorf("add route of own block: %w", err)
	}
	for _, peer := range nodes {
		if peer == n {
			continue
		}
		if err := n.learn(peer); err != nil {
			return err
		}
	}
	return nil
}

// learn adds the route to a peer's block.
func (n *Node) learn(peer *Node) error {
	tunnel, err := netlink.LinkByName("tunl0")
	if err != nil {
		return fmt.Errorf("find tunl0: %w", err)
	}
	route := &netlink.Route{
		Dst: ipNet(block(peer.number)), Gw: outer(peer.number).AsSlice(),
		LinkIndex: tunnel.Attrs().Index, Protocol: unix.RTPROT_BIRD, Flags: int(netlink.FLAG_ONLINK),
	}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("add route to block of %s: %w", peer.Name, err)
	}
	return nil
}

// rules are what a security group does without a rule for protocol 4: what
// comes in must be asked for, or of a kind that is named.
const rules = `*filter
:INPUT DROP
:FORWARD ACCEPT
:OUTPUT ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m multiport --dports 22,179,10250 -j ACCEPT
COMMIT
`

// firewall puts the rules into the namespace of the thread that runs it. The
// kernel tracks connections there from then on.
func firewall() error {
	cmd := exec.Command("iptables-restore")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("set firewall: %w: %s", err, out)
	}
	return nil
}
