// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// needsIPIP skips the test on a kernel without ipip, such as many a cloud's test
// machine has. In the VM (CNI_GUARD_KERNEL=vm), which is there for its kernel, that
// is a failure.
func needsIPIP(t *testing.T) {
	t.Helper()
	checktest.PrivateNode(t)
	err := exec.Command("ip", "link", "add", "name", "tryipip", "type", "ipip", "remote", "192.0.2.9", "local", "192.0.2.8").Run()
	_ = exec.Command("ip", "link", "delete", "tryipip").Run()
	switch {
	case err == nil:
	case os.Getenv("CNI_GUARD_KERNEL") == "vm":
		t.Fatal("the kernel of the VM has no ipip: load ipip.ko")
	default:
		t.Skip("this kernel has no ipip; conformance/vm has one")
	}
	if _, err := exec.LookPath("iptables"); err != nil {
		checktest.Lacking(t, "no iptables")
	}
}

// coldPair is two nodes in the shape of Calico. Each has a firewall that knows
// nothing of IP protocol 4 but what connection tracking says.
const coldPair = `
ip -n near link add wire type veth peer name wire netns far
ip -n near address add 192.0.2.1/24 dev wire
ip -n far address add 192.0.2.2/24 dev wire
for node in near far; do
	ip -n $node link set lo up
	ip -n $node link set wire up
	ip -n $node link set tunl0 up 2>/dev/null || { ip -n $node link add tunl0 type ipip; ip -n $node link set tunl0 up; }
	ip netns exec $node iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
	ip netns exec $node iptables -A INPUT -p icmp -j ACCEPT
	ip netns exec $node iptables -A INPUT -p 4 -j DROP
done
ip -n near address add 10.244.0.0/32 dev tunl0
ip -n far address add 10.244.1.0/32 dev tunl0
ip -n near route add 10.244.1.0/26 via 192.0.2.2 dev tunl0 proto bird onlink
ip -n far route add 10.244.0.0/26 via 192.0.2.1 dev tunl0 proto bird onlink
`

// The failure that all of this is about, and its cure: a tunnel is cold until both
// ends have sent.
func TestColdTunnel(t *testing.T) {
	needsIPIP(t)
	nearPath, farPath := checktest.Sandbox(t, "near"), checktest.Sandbox(t, "far")
	checktest.Shell(t, coldPair)
	here, there := open(t, nearPath), open(t, farPath)
	for _, step := range []struct {
		from *netstate.Live
		to   string
		wait time.Duration
		want tunnel.State
	}{
		{here, "10.244.1.0", 500 * time.Millisecond, tunnel.Silent}, // only one end has sent
		{there, "10.244.0.0", time.Minute, tunnel.Answered},         // now both have
		{here, "10.244.1.0", time.Minute, tunnel.Answered},
	} {
		dump, err := step.from.TunnelDump()
		if err != nil {
			t.Fatal(err)
		}
		peers := tunnel.Select(tunnel.Enumerate(dump), []string{"ipip"}, nil)
		if len(peers) != 1 || peers[0].Probed != netip.MustParseAddr(step.to) {
			t.Fatalf("the peers are %+v, want one at %s", peers, step.to)
		}
		answers, err := tunnel.Probe(t.Context(), step.from.ListenICMP, peers, tunnel.ProbeOptions{Wait: step.wait})
		if err != nil {
			t.Fatal(err)
		}
		if answers[0].State != step.want {
			t.Errorf("%s: %s, want %v", step.to, say(answers[0]), step.want)
		}
	}
}

// The end that was asked twice while the other one woke up.
func TestColdTunnelRetried(t *testing.T) {
	needsIPIP(t)
	nearPath, farPath := checktest.Sandbox(t, "near"), checktest.Sandbox(t, "far")
	checktest.Shell(t, coldPair)
	here, there := open(t, nearPath), open(t, farPath)
	asked := 0
	opener := func(six bool) (netstate.ICMPConn, error) {
		conn, err := here.ListenICMP(six)
		return hooked{conn, func(netip.Addr) {
			if asked++; asked == 2 {
				_, err := tunnel.Probe(t.Context(), there.ListenICMP, peersAt("10.244.0.0"), tunnel.ProbeOptions{Wait: time.Minute})
				if err != nil {
					t.Error(err)
				}
			}
		}}, err
	}
	answers, err := tunnel.Probe(t.Context(), opener, peersAt("10.244.1.0"), tunnel.ProbeOptions{Wait: time.Minute, RetryAfter: 100 * time.Millisecond})
	if err != nil || answers[0].State != tunnel.Retried {
		t.Errorf("%s, error %v; want an answer to the second request", say(answers[0]), err)
	}
}
