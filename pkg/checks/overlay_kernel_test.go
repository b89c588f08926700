// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Two nodes with flannel's VXLAN.
const overlaySetup = `
ip link add node0 netns near type veth peer name node0 netns far
ip -n near address add 192.0.2.1/24 dev node0
ip -n far address add 192.0.2.2/24 dev node0
for n in near far; do ip -n $n link set lo up; ip -n $n link set node0 up; done
ip -n near link add flannel.1 address 0a:58:00:00:00:01 type vxlan id 1 local 192.0.2.1 dev node0 dstport 8472 nolearning
ip -n far link add flannel.1 address 0a:58:00:00:00:02 type vxlan id 1 local 192.0.2.2 dev node0 dstport 8472 nolearning
ip -n near address add 10.244.0.0/32 dev flannel.1
ip -n far address add 10.244.1.0/32 dev flannel.1
for n in near far; do ip -n $n link set flannel.1 up; done
ip -n near route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n far route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
ip -n near neigh add 10.244.1.0 lladdr 0a:58:00:00:00:02 dev flannel.1
ip -n far neigh add 10.244.0.0 lladdr 0a:58:00:00:00:01 dev flannel.1
bridge -n near fdb append 0a:58:00:00:00:02 dev flannel.1 dst 192.0.2.2
bridge -n far fdb append 0a:58:00:00:00:01 dev flannel.1 dst 192.0.2.1
`

// Each command that the check gives lets the tunnel's packets pass, and before it none do.
func TestFirewallCommandsHeal(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") == "vm" {
		t.Skip("it tests commands of iptables and nft, not the kernel")
	}
	near := space(t, "near")
	checktest.Sandbox(t, "far")
	checktest.Shell(t, overlaySetup)
	dump, err := near.TunnelDump()
	if err != nil {
		t.Fatal(err)
	}
	peer := tunnel.Enumerate(dump).Peers[0]
	answers := func(wait time.Duration) bool {
		results, err := tunnel.Probe(t.Context(), near.ListenICMP, []tunnel.Peer{peer}, tunnel.ProbeOptions{Wait: wait, RetryAfter: wait / 2})
		if err != nil {
			t.Fatal(err)
		}
		return results[0].State == tunnel.Answered || results[0].State == tunnel.Retried
	}
	for name, rules := range map[string]string{
		"a rule of iptables-nft":    "iptables-nft -A INPUT -p udp --dport 8000:9000 -j DROP",
		"a policy of iptables-nft":  "iptables-nft -P INPUT DROP; iptables-nft -A INPUT -p icmp -j ACCEPT",
		"a rule of iptables-legacy": "iptables-legacy -A OUTPUT -d 192.0.2.0/24 -p udp -j REJECT",
		"a rule in mangle":          "iptables-nft -t mangle -A INPUT -p udp -m udp --dport 8472 -j DROP",
		"a base chain of nft":       "nft add table inet f; nft add chain inet f in '{ type filter hook input priority 5; policy drop; }'; nft add rule inet f in meta l4proto icmp accept",
		"a chain of nft":            "nft add table inet f; nft add chain inet f out '{ type filter hook output priority -5; }'; nft add chain inet f deep; nft add rule inet f out jump deep; nft add rule inet f deep udp dport '{ 4789, 8472 }' drop",
	} {
		t.Run(name, func(t *testing.T) {
			checktest.Shell(t, "ip netns exec near nft flush ruleset; ip netns exec near iptables-legacy -F")
			if !answers(time.Minute) {
				t.Fatal("the tunnel does not work without rules")
			}
			checktest.Shell(t, "ip netns exec near sh -euc '"+strings.ReplaceAll(rules, "'", `'\''`)+"'")
			if answers(time.Second) {
				t.Fatal("the tunnel works in spite of the rules")
			}
			target := &checks.Target{Node: near}
			if what, err := target.LocalDrop(peer); err != nil || !strings.HasPrefix(what, "packets of UDP port 8472") {
				t.Errorf("the rule that drops a ping: %q, %v", what, err)
			}
			findings := overlayFindings(t, target)
			if len(findings) != 1 || findings[0].Command == "" {
				t.Fatalf("findings with a command: %+v", findings)
			}
			checktest.Shell(t, "ip netns exec near "+findings[0].Command)
			if !answers(time.Minute) {
				t.Errorf("the tunnel does not work after %s", findings[0].Command)
			}
			if left := overlayFindings(t, &checks.Target{Node: near}); len(left) > 0 {
				t.Errorf("after %s the check says %v", findings[0].Command, left)
			}
		})
	}
}

func overlayFindings(t *testing.T, target *checks.Target) []guard.Finding {
	t.Helper()
	o := guard.Run(context.Background(), []*checks.Check{checks.Find("overlay-firewall")}, guard.Node, guard.Settings{}, target).Outcomes[0]
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	return o.Findings
}
