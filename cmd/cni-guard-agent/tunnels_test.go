// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Two nodes with flannel's VXLAN. Its port is the source port as well, so that connection
// tracking takes both directions for one flow, as it does with ipip, which not every kernel
// has.
const twoNodes = `
ip link add node0 netns near type veth peer name node0 netns far
i=1
for n in near far; do
	ip -n $n link set lo up
	ip -n $n address add 192.0.2.$i/24 dev node0
	ip -n $n link set node0 up
	ip -n $n link add flannel.1 address 0a:58:00:00:00:0$i type vxlan id 1 local 192.0.2.$i dev node0 dstport 8472 srcport 8472 8473 nolearning
	ip -n $n address add 10.244.$((i-1)).0/32 dev flannel.1
	ip -n $n link set flannel.1 up
	i=$((i+1))
done
ip -n near route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n far route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
ip -n near neigh add 10.244.1.0 lladdr 0a:58:00:00:00:02 dev flannel.1
ip -n far neigh add 10.244.0.0 lladdr 0a:58:00:00:00:01 dev flannel.1
bridge -n near fdb append 0a:58:00:00:00:02 dev flannel.1 dst 192.0.2.2
bridge -n far fdb append 0a:58:00:00:00:01 dev flannel.1 dst 192.0.2.1
`

// addNodes adds the nodes near and far, and returns their networks.
func addNodes(t *testing.T) (near, far *netstate.Live) {
	t.Helper()
	checktest.PrivateNode(t)
	node := func(name string) *netstate.Live {
		n := netstate.OpenNetns(checktest.Sandbox(t, name))
		t.Cleanup(func() { _ = n.Close() })
		v, err := n.View()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(v.Close)
		return v
	}
	near, far = node("near"), node("far")
	checktest.Shell(t, twoNodes)
	return near, far
}

// startOn starts the agent of a node, and waits for its first look.
func (r *rig) startOn(node string) *buffer {
	r.t.Helper()
	agent, log := r.start("ip", "netns", "exec", node)
	r.ready(agent.Pid)
	return log
}

// buildGuardctl builds guardctl.
func buildGuardctl(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "guardctl")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/cni-guard/cni-guard/cmd/guardctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build guardctl: %v: %s", err, out)
	}
	return path
}

// doctor runs guardctl doctor with one check on a node, and returns its state and findings.
func (r *rig) doctor(guardctl, node, check string) (state string, findings []guard.Finding) {
	r.t.Helper()
	cmd := exec.Command("ip", "netns", "exec", node, guardctl, "doctor", "--check", check, "-o", "json",
		"--runtime", "containerd", "--conf-dir", r.path("conf"), "--bin-dir", r.path("bin"), "--record-dir", r.path("record"))
	out, _ := cmd.Output() // the exit code says what the document says
	var report struct {
		Checks []struct {
			State    string
			Findings []guard.Finding
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || len(report.Checks) != 1 {
		r.t.Fatalf("doctor: %v: %s", err, out)
	}
	return report.Checks[0].State, report.Checks[0].Findings
}

// The agents of two nodes answer each other's echo requests through the tunnel. When the
// tunnel carries pings and neither TCP nor UDP, doctor says so, and so does the agent.
func TestEcho(t *testing.T) {
	addNodes(t)
	near, far := newRig(t, "--echo-address", "192.0.2.1:10977", "--look-every", "10s"), newRig(t, "--echo-address", ":10977")
	// What a kernel does that gets wrong checksums: it drops TCP and UDP of the tunnel unread.
	checktest.Shell(t, `
ip netns exec far nft add table inet t
ip netns exec far nft 'add chain inet t in { type filter hook input priority 0; }'
for protocol in tcp udp; do ip netns exec far nft add rule inet t in iifname flannel.1 $protocol dport 10977 counter; done
`)
	counted := func() string {
		out, err := exec.Command("ip", "netns", "exec", "far", "nft", "list", "table", "inet", "t").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if out := counted(); strings.Count(out, "packets 0 ") != 2 {
		t.Fatalf("the far node counts echo requests: %s", out)
	}
	far.awaitLog(far.startOn("far"), "answering echo requests")
	nearLog := near.startOn("near")
	near.awaitLog(nearLog, "answering echo requests")
	for name, r := range map[string]*rig{"near": near, "far": far} { // of which one answers and the other refuses
		r.await("the check of the "+name+" node has passed", func() bool { return r.overlayPath() == "passed" })
	}
	guardctl := buildGuardctl(t)
	near.await("doctor says that the tunnel works", func() bool {
		state, _ := near.doctor(guardctl, "near", "overlay-path")
		return state == "passed"
	})
	if out := counted(); strings.Contains(out, "packets 0 ") {
		t.Errorf("the far node got no echo requests: %s", out)
	}

	checktest.Shell(t, "ip netns exec far nft add rule inet t in iifname flannel.1 meta l4proto '{ tcp, udp }' drop")
	var findings []guard.Finding
	near.await("doctor says that the tunnel is broken", func() bool {
		var state string
		state, findings = near.doctor(guardctl, "near", "overlay-path")
		return state == "failed"
	})
	if f := findings[0]; len(findings) != 1 || f.Object != "node/flannel.1" || f.Minor || !strings.HasPrefix(f.Problem, "carries pings to 192.0.2.2 ") ||
		!strings.Contains(f.Problem, "neither TCP nor UDP") || !strings.Contains(f.Evidence, "of 192.0.2.2: answered") || f.Command == "" {
		t.Errorf("doctor says %+v", findings)
	}
	near.await("the agent finds it", func() bool { return near.overlayPath() == "failed" })
	if state, _ := near.doctor(guardctl, "near", "tunnel-peers"); state != "passed" {
		t.Errorf("pings pass, and tunnel-peers is %s", state)
	}
	checktest.Shell(t, "ip netns exec far nft delete table inet t")
	near.await("the agent sees that the tunnel works", func() bool { return near.overlayPath() == "passed" })
}

func (r *rig) overlayPath() string {
	c := r.status().Check("overlay-path")
	if c == nil {
		return ""
	}
	return c.State
}

func (r *rig) awaitLog(log *buffer, text string) {
	r.t.Helper()
	r.await(text, func() bool { return strings.Contains(log.String(), text) })
}

// The agent keeps the way back to this node open, as the guard's entry says from the start:
// this node's firewall takes packets of the tunnel only from nodes to which it has sent some.
func TestKeepsTunnelsWarm(t *testing.T) {
	nearNet, farNet := addNodes(t)
	checktest.Shell(t, `
ip -n near route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip -n near neigh add 10.244.2.0 lladdr 0a:58:00:00:00:03 dev flannel.1
bridge -n near fdb append 0a:58:00:00:00:03 dev flannel.1 dst 192.0.2.3
ip netns exec near nft add table inet t
ip netns exec near nft 'add chain inet t in { type filter hook input priority 0; }'
ip netns exec near nft add rule inet t in udp dport 8472 ct state new drop
`)
	reached := func(wait time.Duration) bool {
		peer := tunnel.Peer{Probed: netip.MustParseAddr("10.244.0.0")}
		results, err := tunnel.Probe(t.Context(), farNet.ListenICMP, []tunnel.Peer{peer}, tunnel.ProbeOptions{Wait: wait, RetryAfter: wait / 2})
		if err != nil {
			t.Fatal(err)
		}
		return results[0].State.Confirms()
	}
	if reached(time.Second) {
		t.Fatal("the far node reaches this one through a cold tunnel, so that this test sees nothing")
	}
	r := newRig(t, "--warm-tunnels", "--metrics-address", "192.0.2.1:9464")
	r.write("conf/10-net.conflist", strings.Replace(r.read("conf/10-net.conflist"), `"type": "cni-guard"`,
		`"type": "cni-guard", "checks": {"tunnel-warmup": {"policy": "warn", "kinds": ["vxlan"], "interval": "10s"}}`, 1))
	log := r.startOn("near")
	lastAnswer := func() time.Time {
		states, _ := tunnel.PeerStoreIn(r.path("state")).Load(time.Now()) // empty until it is there
		return states.Peers[netip.MustParseAddr("10.244.1.0")].LastAnswer
	}
	for range 3 {
		before := lastAnswer()
		r.await("the peer is asked, and answers", func() bool { return lastAnswer().After(before) })
		if !reached(time.Minute) {
			t.Error("the far node does not reach this one")
		}
	}
	if looks := r.status().Looks.Full; looks > 1 {
		t.Logf("%d full looks have asked the peer as well", looks)
	}

	// The entry's kinds were used, and never the defaults.
	if n := strings.Count(log.String(), "keeping the peers of tunnels warm"); n != 1 || !strings.Contains(log.String(), `"kinds":["vxlan"],"peers":null,"interval":"10s"`) {
		t.Errorf("the peers were kept warm with %d settings, or not with those of the entry", n)
	}
	if _, err := os.Stat("/run/cni-guard/tunnels"); err == nil {
		t.Error("the default state directory was used")
	}

	client := http.Client{Transport: &http.Transport{DialContext: nearNet.Dial}}
	defer client.CloseIdleConnections()
	r.await("the metric says how many", func() bool {
		response, err := client.Get("http://192.0.2.1:9464/metrics")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return err == nil && strings.Contains(string(text), `cni_guard_tunnel_peers{state="answered"} 1`) &&
			strings.Contains(string(text), `cni_guard_tunnel_peers{state="silent"} 1`)
	})
}
