// SPDX-License-Identifier: Apache-2.0

package doctor

// farAgent runs the agent on far, which answers what doctor asks to tell TCP and UDP from
// pings.
const farAgent = `
for dir in proc sys tmp run etc/cni/net.d; do mkdir -p "$ROOT/far/$dir"; done
cp "$GUARD/cni-guard-agent" "$ROOT/far/agent"
ip netns exec far unshare --pid --fork --kill-child sh -euc '
	mount -t proc proc "$ROOT/far/proc"
	exec chroot "$ROOT/far" /agent --kubernetes off --keep off --warm-tunnels=false --echo-address :10977' >"$ROOT/far/log" 2>&1 &
for _ in $(seq 600); do
	! ip netns exec far ss -Htln "sport = 10977" | grep -q . || exit 0
	sleep 0.1
done
cat "$ROOT/far/log"
exit 1
`

// brokenChecksums is a NIC that breaks the checksums of TCP and UDP below VXLAN. The kernel
// of near has to compute them, as packets between namespaces have none otherwise, and the
// wire changes them. @ih is what lies behind the outer UDP header: 8 bytes of VXLAN, 14 of
// Ethernet, 20 of IP.
const brokenChecksums = `
ip netns exec near ethtool -K eth0 tx off >/dev/null
ip netns exec far nft -f - <<'EOF'
table netdev wire {
	chain in {
		type filter hook ingress device eth0 priority 0;
		udp dport 8472 @ih,248,8 6 @ih,464,16 set 0xdead
		udp dport 8472 @ih,248,8 17 @ih,384,16 set 0xdead
	}
}
EOF
`

// hostGateway makes plain routes of the tunnel's, as kube-router has them within a subnet.
// The protocol says whose they are: near's conflist has the addresses of its own pods only.
const hostGateway = `
for node in near far; do ip -n $node link delete flannel.1; done
ip -n near route add 10.244.1.0/24 via 192.168.50.12 dev eth0 proto 17
ip -n far route add 10.244.0.0/24 via 192.168.50.11 dev eth0 proto 17
`

// wireFailures are those between the nodes that a node cannot see in its own tables.
func wireFailures() []Failure {
	return []Failure{
		{
			Name: "a NIC breaks the checksums below VXLAN", From: "calico#9433, k3s#8348", Make: farAgent, Before: true, Break: brokenChecksums,
			Check: "overlay-path", Says: "breaks the checksums of what it encapsulates", By: "`ping`: fine; `curl`: times out; `tcpdump -vv`: cksum incorrect, as on every node that offloads checksums to its NIC",
		},
		{
			Name: "AWS checks source and destination", From: "kube-router, flannel host-gw", Make: hostGateway, AWS: true, Before: true,
			Break: "ip netns exec far iptables -I INPUT -d 10.244.0.0/16 -j DROP; ip netns exec far iptables -I FORWARD -d 10.244.0.0/16 -j DROP; echo true >$ROOT/source-dest-check",
			Check: "cloud-forwarding", Says: "whose source/destination check is on", By: "`tcpdump -i eth0`: requests of pods leave, no answer; the nodes reach each other",
		},
	}
}
