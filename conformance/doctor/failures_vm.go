// SPDX-License-Identifier: Apache-2.0

package doctor

// ipip makes the tunnel of both nodes one of Calico: IP protocol 4 on tunl0, with the rules
// of a host that knows of it. Connection tracking is on, as such rules use it.
const ipip = `
for node in near far; do
	ip -n $node link delete flannel.1
	ip -n $node link set tunl0 mtu 1480 up
	ip netns exec $node iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	ip netns exec $node iptables -A INPUT -p 4 -j ACCEPT
done
ip -n near address add 10.244.0.0/32 dev tunl0
ip -n far address add 10.244.1.0/32 dev tunl0
ip -n near route add 10.244.1.0/24 via 192.168.50.12 dev tunl0 proto 80 onlink
ip -n far route add 10.244.0.0/24 via 192.168.50.11 dev tunl0 proto 80 onlink
`

// wireguard makes the tunnel one of flannel's backend wireguard.
const wireguard = `
near_key=$(wg genkey) far_key=$(wg genkey)
for node in near far; do
	ip -n $node link delete flannel.1
	ip -n $node link add flannel-wg type wireguard
done
key=$(mktemp)
echo "$near_key" >"$key"
ip netns exec near wg set flannel-wg listen-port 51820 private-key "$key" peer "$(echo "$far_key" | wg pubkey)" endpoint 192.168.50.12:51820 allowed-ips 10.244.1.0/24
echo "$far_key" >"$key"
ip netns exec far wg set flannel-wg listen-port 51820 private-key "$key" peer "$(echo "$near_key" | wg pubkey)" endpoint 192.168.50.11:51820 allowed-ips 10.244.0.0/24
ip -n near address add 10.244.0.0/32 dev flannel-wg
ip -n far address add 10.244.1.0/32 dev flannel-wg
for node in near far; do
	ip -n $node link set flannel-wg mtu 1420 up
	ip -n $node route add 10.244.0.0/16 dev flannel-wg
done
`

// fullConntrack makes new connections faster than the table forgets them. Its limit is one
// for all namespaces, which the first one sets.
const fullConntrack = `
cat /proc/sys/net/netfilter/nf_conntrack_max >"$ROOT/most"
echo 100 >/proc/sys/net/netfilter/nf_conntrack_max
touch "$ROOT/flood"
ip netns exec near bash -c '
	while [ -e "$ROOT/flood" ]; do
		for port in $(seq 1000 1150); do echo >/dev/udp/192.168.50.12/$port; done
		sleep 0.5
	done' >/dev/null 2>&1 &
`

// VMFailures returns the failures of tunnels that not every kernel has, and of limits that
// only the first network namespace of a machine sets.
func VMFailures() []Failure {
	return []Failure{
		{
			Name: "this node drops IP protocol 4", From: "calico#373", Make: ipip, Before: true, Break: "ip netns exec near iptables -I INPUT -p 4 -j DROP",
			Check: "tunnel-peers", Says: "this node itself drops packets of IP protocol 4", By: "`tcpdump -i eth0 ip proto 4`: both directions",
		},
		{
			Name: "the peer drops IP protocol 4", From: "kops#8249", Make: ipip, Break: "ip netns exec far iptables -I INPUT -p 4 -j DROP",
			Check: "tunnel-peers", Says: "no packet of IP protocol 4 comes from it", By: "`tcpdump -i eth0 ip proto 4`: requests leave, no answer",
		},
		{
			Name: "the tunnel is cold", From: "seed 002", Make: ipip, Break: "ip netns exec near iptables -D INPUT -p 4 -j ACCEPT; ip netns exec near iptables -P INPUT DROP; ip netns exec near iptables -A INPUT -p icmp -j ACCEPT",
			Check: "overlay-firewall", Says: "until this node has sent some", By: "any test sends a packet, which opens the tunnel, and so succeeds",
		},
		{
			Name: "`tunl0` is down", From: "calico#2471", Make: ipip, Before: true, Break: "ip -n near link set tunl0 down",
			Check: "tunnel-peers", Says: "is down", By: "`ip route`: no route to 10.244.1.0/24",
		},
		{
			Name: "connection tracking is full", From: "kubernetes#18604", Before: true,
			Make:  "ip netns exec near iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
			Break: fullConntrack, Undo: `rm -f "$ROOT/flood"; cat "$ROOT/most" >/proc/sys/net/netfilter/nf_conntrack_max`,
			Check: "table-pressure", Says: "lost", By: "`dmesg`: nf_conntrack: table full, dropping packet; `tcpdump`: packets of some connections, not of others",
		},
		{
			Name: "the peer drops WireGuard's port", From: "k3s, flannel wireguard-native", Make: wireguard, Break: "ip netns exec far iptables -I INPUT -p udp --dport 51820 -j DROP",
			Check: "tunnel-peers", Says: "the handshakes of WireGuard get no answer (there never was one)", By: "`wg show`: bytes sent, none received; `tcpdump -i eth0`: 148 bytes every five seconds",
		},
		{
			Name: "this node drops WireGuard's port", From: "k3s, flannel wireguard-native", Make: wireguard, Break: "ip netns exec near iptables -I INPUT -p udp --dport 51820 -j DROP",
			Check: "tunnel-peers", Says: "this node itself drops packets of UDP port 51820", By: "`tcpdump -i eth0`: both directions",
		},
	}
}

// VMTraps returns the healthy twins of VMFailures.
func VMTraps() []Trap {
	return []Trap{{"ipip", ipip}, {"WireGuard", wireguard}}
}
