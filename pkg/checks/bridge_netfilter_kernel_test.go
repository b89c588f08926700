// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A kernel without the module br_netfilter, as after a boot without modules-load.d: the
// check names the module and repairs nothing. With the module it passes.
func TestBridgeNetfilterNotLoaded(t *testing.T) {
	if os.Getenv("CNI_GUARD_KERNEL") != "vm" {
		t.Skip("removes a kernel module, for which it needs a machine of its own: make test-vm")
	}
	const module = "br_netfilter"
	load := func() {
		t.Helper()
		file, err := os.Open("/usr/lib/modules/" + module + ".ko")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := unix.FinitModule(int(file.Fd()), "", 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.DeleteModule(module, 0); err != nil {
		t.Fatal(err)
	}
	loaded := false
	t.Cleanup(func() {
		if !loaded {
			load()
		}
	})

	node, pod := space(t, "node"), space(t, "pod")
	checktest.Shell(t, `
ip netns exec node sysctl -qw net.ipv4.ip_forward=1 || ip netns exec node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ip -n node link add cni0 type bridge
ip -n node address add 10.244.1.1/24 dev cni0
ip -n node link set cni0 up
ip -n node link add veth1 type veth peer name eth0 netns pod
ip -n node link set veth1 master cni0
ip -n node link set veth1 up
ip -n pod link set eth0 up
ip -n pod address add 10.244.1.7/24 dev eth0
ip -n pod route add default via 10.244.1.1
ip netns exec node nft add table ip nat
ip netns exec node nft add chain ip nat KUBE-SERVICES
`)
	check := func() guard.Outcome {
		return alone(t, checks.BridgeNetfilter, guard.Add, &checks.Target{
			ContainerID: "c1", IfName: "eth0", Netns: &netstate.Netns{Path: "/run/netns/pod", Kind: netstate.Sandbox},
			Pod: pod, Node: node,
			Want: checks.Interface{Addrs: []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24")}, Links: []string{"cni0", "veth1"}},
		})
	}
	o := check()
	if o.State != guard.Failed || len(o.Findings) != 1 || !strings.Contains(o.Findings[0].Problem, "br_netfilter is not loaded") || !strings.Contains(o.Findings[0].Remedy, "modprobe br_netfilter") {
		t.Errorf("without the module the check has %v: %+v, error %v", o.State, o.Findings, o.Err)
	}
	load()
	loaded = true
	if o := check(); o.State != guard.Passed {
		t.Errorf("with the module the check has %v: %+v, error %v", o.State, o.Findings, o.Err)
	}
}
