// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// cold makes two nodes with ipip as flannel does. The firewall of the far one is stateful,
// like a security group, and has no rule for IP protocol 4. The near one tracks
// connections.
const cold = `
ip -n near link add eth0 type veth peer name eth0 netns far
for node in near far; do
	ip -n $node link set lo up
	ip -n $node link set eth0 addrgenmode none up
done
ip -n near address add 192.0.2.1/24 dev eth0
ip -n far address add 192.0.2.2/24 dev eth0
ip -n near link add flannel.ipip type ipip local 192.0.2.1
ip -n far link add flannel.ipip type ipip local 192.0.2.2
ip -n near link set flannel.ipip up
ip -n far link set flannel.ipip up
ip -n near address add 10.244.0.0/32 dev flannel.ipip
ip -n far address add 10.244.1.0/32 dev flannel.ipip
ip -n near route add 10.244.1.0/24 via 192.0.2.2 dev flannel.ipip onlink
ip -n far route add 10.244.0.0/24 via 192.0.2.1 dev flannel.ipip onlink
ip netns exec near iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
ip netns exec far iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
ip netns exec far iptables -A INPUT -p icmp -j ACCEPT
ip netns exec far iptables -P INPUT DROP
`

// Incident 002 in small: the check names the cause. It passes once the far node has sent
// something through the tunnel, and if there is a rule.
func TestTunnelPeersOnColdIPIP(t *testing.T) {
	near, far := space(t, "near"), space(t, "far")
	needIPIP(t)
	checktest.Shell(t, cold)
	const cause = "its firewall has no inbound rule for IP protocol 4 (ipencap; not 94, which OpenStack calls ipip)"
	if o := retryPeers(near, func(o guard.Outcome) bool { return len(o.Findings) == 1 }); len(o.Findings) != 1 || !strings.Contains(o.Findings[0].Problem, cause) || o.Findings[0].Minor {
		t.Errorf("on a cold tunnel the check has %v: %+v, error %v", o.State, o.Findings, o.Err)
	}
	_, err := tunnel.Probe(t.Context(), far.ListenICMP, []tunnel.Peer{{Probed: netip.MustParseAddr("10.244.0.0")}}, tunnel.ProbeOptions{Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if o := retryPeers(near, passed); o.State != guard.Passed {
		t.Errorf("on a warm tunnel the check has %v: %+v, error %v", o.State, o.Findings, o.Err)
	}
}

func TestTunnelPeersOnIPIPWithRule(t *testing.T) {
	near := space(t, "near")
	space(t, "far")
	needIPIP(t)
	checktest.Shell(t, cold+"ip netns exec far iptables -I INPUT -p 4 -j ACCEPT\n")
	if o := retryPeers(near, passed); o.State != guard.Passed {
		t.Errorf("the check has %v: %+v, error %v", o.State, o.Findings, o.Err)
	}
}

func tunnelPeers(node netstate.View) guard.Outcome {
	return guard.Run(context.Background(), []*checks.Check{checks.Find("tunnel-peers")}, guard.Node, guard.Settings{}, &checks.Target{Node: node}).Outcomes[0]
}

// retryPeers runs the check until its outcome is the wanted one, or many times. On a busy
// machine answers may come too late for one run, which has but two seconds.
func retryPeers(node netstate.View, wanted func(guard.Outcome) bool) guard.Outcome {
	o := tunnelPeers(node)
	for range 50 {
		if wanted(o) {
			break
		}
		o = tunnelPeers(node)
	}
	return o
}

func passed(o guard.Outcome) bool { return o.State == guard.Passed }

// space returns the view of a new namespace.
func space(t *testing.T, name string) *netstate.Live {
	t.Helper()
	n := netstate.OpenNetns(checktest.Sandbox(t, name))
	t.Cleanup(func() { _ = n.Close() })
	v, err := n.View()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// needIPIP skips the test on a kernel without ipip. In the machine of make test-vm, which
// exists for that, it is a failure.
func needIPIP(t *testing.T) {
	t.Helper()
	out, err := exec.Command("ip", "-n", "near", "link", "add", "kind0", "type", "ipip", "remote", "192.0.2.77").CombinedOutput()
	switch {
	case err == nil:
		checktest.Shell(t, "ip -n near link delete kind0")
	case os.Getenv("CNI_GUARD_KERNEL") == "vm":
		checktest.Lacking(t, "no ipip: "+string(out))
	default:
		t.Skip("this kernel has no ipip; run: go test -exec $PWD/scripts/in-vm ./pkg/checks")
	}
}
