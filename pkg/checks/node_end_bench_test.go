// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// What the checks of the node's end of a veth cost an ADD on a healthy node. It must
// not grow with the node's links, routes and rules.
func BenchmarkNodeEnd(b *testing.B) {
	for _, others := range []int{0, 500} {
		for _, network := range []string{"bridge", "ptp"} {
			b.Run(fmt.Sprintf("%s/others=%d", network, others), func(b *testing.B) {
				t := podOf(b, network, others)
				suite := []*checks.Check{checks.BridgePort, checks.BridgeNetfilter, checks.IPForwarding}
				before := cpuTime(b)
				for b.Loop() {
					target := checks.Target{IfName: t.IfName, Netns: t.Netns, Pod: t.Pod, Node: t.Node, Want: t.Want, StateDir: t.StateDir, Attached: t.Attached}
					for _, c := range suite {
						if findings, err := c.Probe(b.Context(), &target); len(findings) > 0 || err != nil && !guard.Skips(err) {
							b.Fatal(c.Name, findings, err)
						}
					}
				}
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op") // whatever else runs
			})
		}
	}
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// podOf makes a dual-stack pod on the private node, and as many other links, routes
// and rules.
func podOf(b *testing.B, network string, others int) *checks.Target {
	b.Helper()
	netns := netstate.OpenNetns(checktest.Sandbox(b, "bench"))
	b.Cleanup(func() { _ = netns.Close() })
	checktest.Shell(b, `
ip link add cni0 type bridge
ip link set cni0 up
ip link add veth1.2 type veth peer name eth0 netns bench
ip link set veth1.2 up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
nft add table ip bench
nft add chain ip bench rules
`)
	b.Cleanup(func() {
		for _, link := range []string{"cni0", "veth1.2"} { // the end of a namespace takes its links along some time later
			_ = exec.Command("ip", "link", "delete", link).Run()
		}
		_ = exec.Command("nft", "delete", "table", "ip", "bench").Run()
		for i := range others {
			_ = exec.Command("ip", "link", "delete", fmt.Sprintf("other%d", i)).Run()
		}
	})
	if network == "bridge" {
		checktest.Shell(b, "ip link set veth1.2 master cni0")
	}
	var batch, rules strings.Builder
	for i := range others {
		fmt.Fprintf(&batch, "link add other%d type veth peer name eth%d netns bench\nlink set other%d up\nroute add 10.%d.%d.0/24 dev other%d\n", i, i+9, i, i/250, i%250, i)
		fmt.Fprintf(&rules, "add rule ip bench rules ip daddr 10.96.%d.%d drop\n", i/250, i%250)
	}
	for _, load := range []struct{ program, arg, text string }{{"ip", "-batch", batch.String()}, {"nft", "-f", rules.String()}} {
		cmd := exec.Command(load.program, load.arg, "/dev/stdin")
		cmd.Stdin = strings.NewReader(load.text)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	pod, err := netns.View()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pod.Close)
	node, err := netstate.OpenNode()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(node.Close)
	want := checks.Interface{
		Addrs: []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24"), netip.MustParsePrefix("fd00:10:244::7/64")},
		Links: []string{"cni0", "veth1.2"},
	}
	if network == "ptp" {
		want.Links = want.Links[1:]
	}
	return &checks.Target{IfName: "eth0", Netns: netns, Pod: pod, Node: node, Want: want}
}
