// SPDX-License-Identifier: Apache-2.0

package doctor

import "slices"

// A Failure is one way to break near, or its path to far.
type Failure struct {
	Name  string // for people
	From  string // where it was seen
	Make  string // commands that make the healthy node, beside those of all; "" for none
	Break string // commands
	Undo  string // commands that end what outlives the nodes; "" for none

	Check string // whose finding must be the first
	Says  string // part of it
	// By is what the tools show that people reach for first.
	By string
	// Before is true if doctor must have run on the healthy node: it remembers.
	Before bool
	// AWS is true if near is an instance of AWS (Rig.AWS).
	AWS bool
}

// Failures returns those that namespaces of any kernel with VXLAN can play.
func Failures() []Failure {
	return slices.Concat(tunnelFailures(), firewallFailures(), podFailures(), wireFailures())
}

// tunnelFailures are those of a node itself, and of its tunnel.
func tunnelFailures() []Failure {
	return []Failure{
		{
			Name: "`lo` is down", From: "seed 003", Break: "ip -n near link set lo down",
			Check: "host-loopback", Says: "is down", By: "`ip link`: `lo` without UP. Everything on 127.0.0.1 times out",
		},
		{
			Name: "a second conflist sorts first", From: "seed 004",
			Break: `echo '{"cniVersion":"1.0.0","name":"other","plugins":[{"type":"bridge","bridge":"br9","ipam":{"type":"host-local","ranges":[[{"subnet":"10.99.0.0/24"}]]}}]}' > $ROOT/etc/cni/net.d/05-other.conflist`,
			Check: "conflist", Says: "05-other.conflist", By: "`ip`, `nft`: nothing; new pods have other addresses",
		},
		{
			Name: "the rule for the table main is gone", From: "kops#17433", Break: "ip -n near rule delete priority 32766",
			Check: "routing-rules", Says: "main", By: "`ip route get`: Network is unreachable; `ip route` is complete",
		},
		{
			Name: "the node's network lies in the pods' range", From: "calico#2720",
			Break: "ip -n near address add 10.244.0.77/28 dev eth0",
			Check: "address-overlap", Says: "10.244.0.77", By: "`ip route`: two routes that look right",
		},
		{
			Name: "the tunnel's device is down", From: "flannel#869", Break: "ip -n near link set flannel.1 down",
			Check: "tunnel-peers", Says: "is down", By: "`ip route`: no route to 10.244.1.0/24",
		},
		{
			Name: "the tunnel's device is gone", From: "flannel#1348", Break: "ip -n near link delete flannel.1", Before: true,
			Check: "tunnel-peers", Says: "is gone", By: "`ip link`: no device, and no sign that there should be one",
		},
		{
			Name: "the device was made again, without routes", From: "real flannel", Before: true,
			Break: "ip -n near link delete flannel.1; ip -n near link add flannel.1 address 0a:58:00:00:00:0b type vxlan id 1 local 192.168.50.11 dstport 8472 nolearning; ip -n near link set flannel.1 mtu 1450 up; ip -n near address add 10.244.0.0/32 dev flannel.1",
			Check: "tunnel-peers", Says: "had the route to 10.244.1.0/24", By: "`ip link`: the device is up",
		},
		{
			Name: "a route is gone", From: "networkctl reload", Before: true, Break: "ip -n near route delete 10.244.1.0/24",
			Check: "tunnel-peers", Says: "10.244.1.0/24", By: "`ip route`: no sign that a route is missing",
		},
		{
			Name: "the peer has this node's MAC", From: "submariner#4024",
			Break: "ip -n near link set flannel.1 address 0a:58:00:00:00:02; ip -n near neigh replace 10.244.1.0 lladdr 0a:58:00:00:00:02 dev flannel.1 nud permanent",
			Check: "tunnel-peers", Says: "0a:58:00:00:00:02", By: "`tcpdump -i eth0`: VXLAN in both directions",
		},
		{
			Name: "an old MAC of the peer", From: "flannel#1795",
			Break: "ip -n near neigh replace 10.244.1.0 lladdr 0a:58:00:00:00:ff dev flannel.1 nud permanent; bridge -n near fdb append 0a:58:00:00:00:ff dev flannel.1 dst 192.168.50.12",
			Check: "tunnel-peers", Says: "the peer's device has the MAC 0a:58:00:00:00:02", By: "`tcpdump -i eth0`: requests leave, no answer; the same as a blocked port",
		},
		{
			Name: "the peer has an old MAC of this node", From: "udev, systemd-networkd",
			Break: "ip -n far neigh replace 10.244.0.0 lladdr 0a:58:00:00:00:ee dev flannel.1 nud permanent; bridge -n far fdb append 0a:58:00:00:00:ee dev flannel.1 dst 192.168.50.11",
			Check: "tunnel-peers", Says: "for another MAC", By: "`tcpdump -i flannel.1`: answers arrive, but not at the pod",
		},
		{
			Name: "the device's MAC changed, its neighbors were flushed", From: "real flannel", Break: "ip -n near link set flannel.1 address 0a:58:00:00:00:0b",
			Check: "tunnel-peers", Says: "no neighbor entry", By: "`ping`: Destination Host Unreachable, from the node itself",
		},
		{
			Name: "an FDB entry is lost", From: "real flannel", Break: "bridge -n near fdb delete 0a:58:00:00:00:02 dev flannel.1",
			Check: "tunnel-peers", Says: "the FDB has no entry", By: "`tcpdump -i flannel.1`: requests; on eth0 nothing",
		},
		{
			Name: "one node with two leases", From: "flannel#2554",
			Break: "ip -n near neigh add 10.244.5.0 lladdr 0a:58:00:00:00:02 dev flannel.1 nud permanent; ip -n near route add 10.244.5.0/24 via 10.244.5.0 dev flannel.1 onlink",
			Check: "tunnel-peers", Says: "left behind", By: "`ip route`: two routes that look right",
		},
		{
			Name: "the tunnel is routed into itself", From: "kube-router#728", Break: "ip -n near route add 192.168.50.12/32 dev flannel.1",
			Check: "tunnel-peers", Says: "into the tunnel", By: "`tcpdump -i eth0`: nothing",
		},
		{
			Name: "the peer's device is gone", From: "flannel#869", Break: "ip -n far link delete flannel.1",
			Check: "tunnel-peers", Says: "port unreachable", By: "`tcpdump -i eth0 icmp`: udp port 8472 unreachable, if you capture ICMP",
		},
		{
			Name: "the peer drops the tunnel's port", From: "a security group", Break: "ip netns exec far iptables -A INPUT -p udp --dport 8472 -j DROP",
			Check: "tunnel-peers", Says: "dropped on the way", By: "`tcpdump -i eth0`: requests leave, no answer",
		},
		{
			Name: "the peer rejects the tunnel's port", From: "k3s#977", Break: "ip netns exec far iptables -A INPUT -p udp --dport 8472 -j REJECT --reject-with icmp-host-prohibited",
			Check: "tunnel-peers", Says: "administratively prohibited", By: "`tcpdump -i eth0 icmp`: host prohibited",
		},
		{
			Name: "an OUTPUT rule of this node", From: "a hardening script", Break: "ip netns exec near iptables -A OUTPUT -p udp --dport 8472 -j DROP",
			Check: "tunnel-peers", Says: "this node itself drops", By: "`tcpdump -i eth0`: nothing; `nft list ruleset`: the rule, among thousands of others",
		},
		{
			Name: "the path carries less than the MTU", From: "flannel#1614", Break: "ip -n far link set eth0 mtu 1400",
			Check: "overlay-path", Says: "loses packets of its full size", By: "`ping`: fine; `curl`: connects and hangs",
		},
		{
			Name: "the tunnel's MTU is that of the NIC", From: "calico#12432", Break: "ip -n near link set flannel.1 mtu 1500; ip -n far link set flannel.1 mtu 1500",
			Check: "overlay-path", Says: "has an MTU of 1500", By: "`tcpdump -i eth0`: fragments",
		},
		{
			Name: "two nodes have one podCIDR", From: "real flannel",
			Break: "ip -n near neigh add 10.244.2.0 lladdr 0a:58:00:00:00:02 dev flannel.1 nud permanent; ip -n far address add 192.168.50.13/24 dev eth0; ip -n far address add 10.244.2.0/32 dev flannel.1; bridge -n near fdb append 0a:58:00:00:00:0c dev flannel.1 dst 192.168.50.13; ip -n near neigh replace 10.244.2.0 lladdr 0a:58:00:00:00:0c dev flannel.1 nud permanent",
			Check: "tunnel-peers", Says: "no route leads to pods there", By: "`ip route`: no sign that a route is missing",
		},
	}
}

// A Trap is a node that is strange and healthy.
type Trap struct{ Name, Make string }

// Traps returns healthy nodes of which doctor must say nothing.
func Traps() []Trap {
	return []Trap{
		{"a dummy that is down, as node-local DNS makes it", "ip -n near link add nodelocaldns type bridge; ip -n near address add 169.254.20.10/32 dev nodelocaldns"},
		{"FORWARD drops, and accepts pods", "ip netns exec near iptables -P FORWARD DROP; ip netns exec near iptables -A FORWARD -s 10.244.0.0/16 -j ACCEPT; ip netns exec near iptables -A FORWARD -d 10.244.0.0/16 -j ACCEPT"},
		{"Docker, and its chain for users accepts pods", docker + "ip netns exec near iptables -I DOCKER-USER -s 10.244.0.0/16 -j ACCEPT; ip netns exec near iptables -I DOCKER-USER -d 10.244.0.0/16 -j ACCEPT"},
		{"ufw, and it allows pods", ufw + "ip netns exec near iptables -A ufw-user-input -p udp --dport 8472 -j ACCEPT; ip netns exec near iptables -I ufw-before-forward -s 10.244.0.0/16 -j ACCEPT; ip netns exec near iptables -I ufw-before-forward -d 10.244.0.0/16 -j ACCEPT"},
		{"firewalld, and it trusts pods", firewalld + "ip netns exec near nft insert rule inet firewalld filter_IN_public udp dport 8472 accept; ip netns exec near nft insert rule inet firewalld filter_FORWARD ip saddr 10.244.0.0/16 accept; ip netns exec near nft insert rule inet firewalld filter_FORWARD ip daddr 10.244.0.0/16 accept"},
		{"a pod, and kube-proxy", pod + services},
		{"an FDB entry for an old MAC of the peer stays", "bridge -n near fdb append 0a:58:00:00:00:dd dev flannel.1 dst 192.168.50.12"},
		{"pings in the tunnel are forbidden", "ip netns exec far iptables -A INPUT -i flannel.1 -p icmp -j DROP"},
		{"frames of 9000 bytes below the tunnel", "ip -n near link set eth0 mtu 9000; ip -n far link set eth0 mtu 9000"},
		{"an unused tunnel device", "ip -n near link add vxlan.old type vxlan id 77 dstport 4789"},
	}
}
