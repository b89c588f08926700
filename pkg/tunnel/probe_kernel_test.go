// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// pair is two nodes, near and far, of both families, and a vxlan between them that
// is set up as flannel does. 10.244.0.0 and fd00:244:: are near, .1.0 and :1:: far.
const pair = `
ip netns exec near sh -c 'echo 0 | tee /proc/sys/net/ipv6/conf/*/dad_transmits >/dev/null'
ip netns exec far sh -c 'echo 0 | tee /proc/sys/net/ipv6/conf/*/dad_transmits >/dev/null'
ip -n near link add wire type veth peer name wire netns far
ip -n near address add 192.0.2.1/24 dev wire
ip -n far address add 192.0.2.2/24 dev wire
ip -n near link set wire up
ip -n far link set wire up
ip -n near link add flannel.1 address 0a:58:00:00:00:01 type vxlan id 1 local 192.0.2.1 dev wire dstport 8472 nolearning
ip -n far link add flannel.1 address 0a:58:00:00:00:02 type vxlan id 1 local 192.0.2.2 dev wire dstport 8472 nolearning
ip -n near address add 10.244.0.0/32 dev flannel.1
ip -n far address add 10.244.1.0/32 dev flannel.1
ip -n near address add fd00:244::/128 dev flannel.1 nodad
ip -n far address add fd00:244:0:1::/128 dev flannel.1 nodad
ip -n near link set flannel.1 up
ip -n far link set flannel.1 up
ip -n near route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n far route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
ip -n near route add fd00:244:0:1::/128 dev flannel.1
ip -n far route add fd00:244::/128 dev flannel.1
ip -n near neigh add 10.244.1.0 lladdr 0a:58:00:00:00:02 dev flannel.1
ip -n far neigh add 10.244.0.0 lladdr 0a:58:00:00:00:01 dev flannel.1
ip -n near neigh add fd00:244:0:1:: lladdr 0a:58:00:00:00:02 dev flannel.1
ip -n far neigh add fd00:244:: lladdr 0a:58:00:00:00:01 dev flannel.1
bridge -n near fdb append 0a:58:00:00:00:02 dev flannel.1 dst 192.0.2.2
bridge -n far fdb append 0a:58:00:00:00:01 dev flannel.1 dst 192.0.2.1
`

// near makes the pair and opens its near node.
func near(t testing.TB, setup string) *netstate.Live {
	t.Helper()
	path := checktest.Sandbox(t, "near")
	checktest.Sandbox(t, "far")
	checktest.Shell(t, pair+setup)
	return open(t, path)
}

func open(t testing.TB, path string) *netstate.Live {
	t.Helper()
	netns := netstate.OpenNetns(path)
	t.Cleanup(func() { netns.Close() })
	view, err := netns.View()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(view.Close)
	return view
}

// A message is taken by a prober when it asks its socket for the next one.
type taking struct {
	netstate.ICMPConn
	taken func(from netip.Addr)
	last  netip.Addr
}

func (c *taking) Receive(buffer []byte) (int, netstate.Sender, error) {
	if c.last.IsValid() {
		c.taken(c.last)
	}
	n, from, err := c.ICMPConn.Receive(buffer)
	c.last = from.Addr
	return n, from, err
}

// probe asks peers, at leisure, until all were asked and messages of all the senders
// were taken, where there are any. A test that knows who sends something does not depend on how long
// that takes, and has no need to wait for who is silent.
func probe(t *testing.T, view *netstate.Live, peers []tunnel.Peer, senders ...string) []tunnel.ProbeResult {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opt := tunnel.ProbeOptions{Wait: 200 * time.Millisecond, RetryAfter: 100 * time.Millisecond}
	if len(senders) > 0 {
		opt = tunnel.ProbeOptions{Wait: 2 * time.Minute, RetryAfter: 20 * time.Second} // what a busy machine drops is sent again
	}
	var mu sync.Mutex // there is a reader for each family
	unsent, waits := len(peers), len(senders) > 0
	after := func(note func()) {
		mu.Lock()
		defer mu.Unlock()
		if note(); waits && unsent <= 0 && len(senders) == 0 {
			cancel()
		}
	}
	open := func(six bool) (netstate.ICMPConn, error) {
		conn, err := view.ListenICMP(six)
		conn = &taking{ICMPConn: conn, taken: func(from netip.Addr) {
			after(func() { senders = slices.DeleteFunc(senders, func(s string) bool { return s == from.String() }) })
		}}
		return sending{conn, func() { after(func() { unsent-- }) }}, err
	}
	answers, err := tunnel.Probe(ctx, open, peers, opt)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

// sayOnce is say, whichever of two requests was answered.
func sayOnce(a tunnel.ProbeResult) string {
	return strings.Replace(say(a), tunnel.Retried.String(), tunnel.Answered.String(), 1)
}

// What a network may do to requests; never is a peer said to answer that does not.
func TestProbeOnKernel(t *testing.T) {
	const four, six = "10.244.1.0", "fd00:244:0:1::"
	for name, c := range map[string]struct {
		setup string
		want  []string // of four and of six
	}{
		"all is well": {"", []string{"answered by " + four, "answered by " + six}},
		"a network that eats everything": {
			`ip netns exec far nft 'add table inet t; add chain inet t c { type filter hook input priority 0; policy drop; }'`,
			[]string{"silent", "silent"},
		},
		"a far firewall without a word": {
			`ip netns exec far iptables -A INPUT -p icmp -j DROP`,
			[]string{"silent", "answered by " + six},
		},
		"a far firewall that rejects": {
			`ip netns exec far nft 'add table inet t; add chain inet t c { type filter hook input priority 0; }; add rule inet t c icmp type echo-request reject with icmp type admin-prohibited; add rule inet t c icmpv6 type echo-request reject with icmpv6 type admin-prohibited'`,
			[]string{"unreachable by " + four + " (administratively prohibited)", "unreachable by " + six + " (administratively prohibited)"},
		},
		"a near firewall": {
			`ip netns exec near nft 'add table inet t; add chain inet t c { type filter hook output priority 0; policy drop; }'`,
			[]string{
				"unprobed (nothing was sent: operation not permitted; a firewall of this node drops it)",
				"unprobed (nothing was sent: operation not permitted; a firewall of this node drops it)",
			},
		},
		"no route any more": {
			"ip -n near route flush dev flannel.1\nip -n near -6 route flush dev flannel.1",
			[]string{"unreachable (network is unreachable)", "unreachable (network is unreachable)"},
		},
		"a device that is down": {
			"ip -n near link set flannel.1 down",
			[]string{"unreachable (network is unreachable)", "unreachable"},
		},
		"IPv6 switched off": {
			"ip netns exec near sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'",
			[]string{"answered by " + four, "unreachable"},
		},
		"strict rp_filter, and the answers on another way": {`
ip -n near link add other type veth peer name other netns far
ip -n near link set other up
ip -n far link set other up
ip -n far route replace 10.244.0.0/24 dev other
ip -n far neigh add 10.244.0.0 lladdr $(ip netns exec near cat /sys/class/net/other/address) dev other
ip netns exec near sh -c 'echo 1 >/proc/sys/net/ipv4/conf/other/rp_filter; echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter'
`, []string{"silent", "answered by " + six}},
	} {
		t.Run(name, func(t *testing.T) {
			view := near(t, c.setup)
			var senders []string
			for _, want := range c.want {
				if _, by, ok := strings.Cut(want, " by "); ok {
					senders = append(senders, strings.Fields(by)[0])
				}
			}
			for i, a := range probe(t, view, peersAt(four, six), senders...) {
				// Which words it is, depends on the kernel.
				if got := sayOnce(a); got != c.want[i] && !(c.want[i] == "unreachable" && strings.HasPrefix(got, c.want[i]+" (")) {
					t.Errorf("%s: %s, want %s", a.Peer.Probed, got, c.want[i])
				}
			}
		})
	}
}

// A tunnel that goes away between two requests takes its peers with it, and
// nothing else.
func TestProbeTunnelDeleted(t *testing.T) {
	view := near(t, "ip -n far address add 10.244.1.1/32 dev flannel.1\n")
	answered := make(chan struct{})
	var taken, sent sync.Once
	open := func(six bool) (netstate.ICMPConn, error) {
		conn, err := view.ListenICMP(six)
		conn = &taking{ICMPConn: conn, taken: func(netip.Addr) { taken.Do(func() { close(answered) }) }}
		return hooked{conn, func(to netip.Addr) {
			if to == netip.MustParseAddr("10.244.1.1") {
				sent.Do(func() {
					<-answered
					checktest.Shell(t, "ip -n near link delete flannel.1")
				})
			}
		}}, err
	}
	answers, err := tunnel.Probe(t.Context(), open, peersAt("10.244.1.0", "10.244.1.1", "192.0.2.2"), tunnel.ProbeOptions{Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"answered by 10.244.1.0", "unreachable (network is unreachable)", "answered by 192.0.2.2"}
	for i, a := range answers {
		if got := say(a); got != want[i] {
			t.Errorf("%s: %s, want %s", a.Peer.Probed, got, want[i])
		}
	}
}

// hooked calls a function before each request.
type hooked struct {
	netstate.ICMPConn
	before func(to netip.Addr)
}

func (h hooked) Send(message []byte, to netip.Addr) error {
	h.before(to)
	return h.ICMPConn.Send(message, to)
}

// sending calls a function after each request.
type sending struct {
	netstate.ICMPConn
	after func()
}

func (s sending) Send(message []byte, to netip.Addr) error {
	defer s.after()
	return s.ICMPConn.Send(message, to)
}

// Without CAP_NET_RAW the error names it.
func TestProbeWithoutCapability(t *testing.T) {
	checktest.PrivateNode(t)
	node, err := netstate.OpenNode()
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread goes with its capabilities
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		err := unix.Capget(&header, &data[0])
		data[0].Effective &^= 1 << unix.CAP_NET_RAW
		if err == nil {
			err = unix.Capset(&header, &data[0])
		}
		if err != nil {
			result <- nil
			return
		}
		_, err = tunnel.Probe(t.Context(), node.ListenICMP, peersAt("127.0.0.1", "::1"), tunnel.ProbeOptions{Wait: time.Hour})
		result <- err
	}()
	if err := <-result; err == nil || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("the error is %v", err)
	}
}

// A thousand peers, and a socket whose buffer must take their answers. What a busy
// machine drops on the way is asked for again.
func TestProbeThousandOnKernel(t *testing.T) {
	view := near(t, "ip netns exec far ip route add local 10.245.0.0/16 dev lo\nip -n near route add 10.245.0.0/16 via 10.244.1.0 dev flannel.1 onlink\n")
	var peers []tunnel.Peer
	for i := range 1000 {
		peers = append(peers, tunnel.Peer{Probed: netip.AddrFrom4([4]byte{10, 245, byte(i / 250), byte(i % 250)})})
	}
	for len(peers) > 0 {
		answers, err := tunnel.Probe(t.Context(), view.ListenICMP, peers, tunnel.ProbeOptions{Wait: 30 * time.Second, RetryAfter: 3 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		asked := len(peers)
		answers = slices.DeleteFunc(answers, func(a tunnel.ProbeResult) bool { return a.State.Confirms() })
		if len(answers) == asked {
			t.Fatalf("none of %d peers answers; %s: %s", asked, answers[0].Peer.Probed, say(answers[0]))
		}
		peers = peers[:0]
		for _, a := range answers {
			peers = append(peers, a.Peer)
		}
	}
}

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
