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

// wireFailures are those between the nodes that a node cannot see in its own tables.
func wireFailures() []Failure {
	return []Failure{
		{
			Name: "a NIC breaks the checksums below VXLAN", From: "calico#9433, k3s#8348", Make: farAgent, Before: true, Break: brokenChecksums,
			Check: "overlay-path", Says: "breaks the checksums of what it encapsulates", By: "`ping`: fine; `curl`: times out; `tcpdump -vv`: cksum incorrect, as on every node that leaves checksums to its NIC",
		},
	}
}
