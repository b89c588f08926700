// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// nodeEndBudget is what the checks of the node's end of a veth may cost an ADD, in CPU
// time. It is printed and not enforced: a busy machine is slower.
const nodeEndBudget = 60 * time.Microsecond

// What the checks of the node's end of a veth add to the checks of an ADD on a healthy
// node, in CPU time of the process. It must not grow with the node's links, routes and
// rules. The two suites run in turns, so that the load of the machine is the same for both. Those
// checks are left out of both that have nothing in common with the new ones and
// need a runtime.
func BenchmarkNodeEnd(b *testing.B) {
	added := []string{checks.BridgePort.Name, checks.BridgeNetfilter.Name, checks.IPForwarding.Name}
	with := slices.DeleteFunc(checks.CallSuite(), func(c *checks.Check) bool {
		return slices.Contains([]string{checks.Conflist.Name, checks.TunnelWarmup.Name}, c.Name)
	})
	without := slices.DeleteFunc(slices.Clone(with), func(c *checks.Check) bool { return slices.Contains(added, c.Name) })
	for _, others := range []int{0, 500} {
		for _, network := range []string{"bridge", "ptp"} {
			b.Run(fmt.Sprintf("%s/others=%d", network, others), func(b *testing.B) {
				t := podOf(b, network, others)
				batches := [2][]time.Duration{}
				b.ReportAllocs()
				for b.Loop() {
					for i, suite := range [][]*checks.Check{without, with} {
						batches[i] = append(batches[i], batchOf(b, suite, t))
					}
				}
				for i := range batches {
					slices.Sort(batches[i])
				}
				quick := func(all []time.Duration) float64 { return float64(all[len(all)/20]) } // neighbours only add to it
				b.ReportMetric(quick(batches[1]), "cpu-ns/ADD")
				b.ReportMetric(quick(batches[1])-quick(batches[0]), "added-cpu-ns/ADD")
				b.ReportMetric(float64(nodeEndBudget), "budget-ns/ADD")
			})
		}
	}
}

// batchOf returns the CPU time of one run of the suite, as the mean of a few.
func batchOf(b *testing.B, suite []*checks.Check, t *checks.Target) time.Duration {
	const runs = 5
	before := cpuTime(b)
	for range runs {
		target := checks.Target{IfName: t.IfName, Netns: t.Netns, Pod: t.Pod, Node: t.Node, Want: t.Want, StateDir: t.StateDir, Attached: t.Attached, Adding: true}
		report := guard.NewPass(suite, guard.Add, guard.Settings{}).Run(b.Context(), &target)
		if found := report.Noteworthy(); len(found) > 0 {
			b.Fatal(found)
		}
	}
	return (cpuTime(b) - before) / runs
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Nano())
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
ip -n bench link set lo up
ip -n bench link set eth0 up
ip -n bench address add 10.244.1.7/24 dev eth0
ip -n bench address add fd00:10:244::7/64 dev eth0 nodad
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
	return &checks.Target{
		IfName: "eth0", Netns: netns, Pod: pod, Node: node, Want: want, StateDir: b.TempDir(),
		Attached: func(context.Context) ([]checks.Attachment, error) { return nil, nil },
	}
}
