// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A kernelShape is a shape made on the running kernel, in the sandbox "shape".
type kernelShape struct{ module, setup, want string }

func kernelShapes() map[string]kernelShape {
	return map[string]kernelShape{
		"flannel vxlan": {"vxlan", `
link add flannel.1 type vxlan id 1 dstport 8472 local 10.0.0.1 nolearning
link set flannel.1 up addrgenmode none
address add 10.244.1.0/32 dev flannel.1
route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
neighbour add 10.244.2.0 dev flannel.1 lladdr 66:00:00:00:00:02 nud permanent
fdb append 66:00:00:00:00:02 dev flannel.1 dst 10.0.0.2 self permanent
`, `
peer flannel.1 vxlan:8472 10.244.2.0/24 outer 10.0.0.2 probed 10.244.2.0
`},
		"Cilium": {"vxlan", `
link add cilium_vxlan type vxlan external dstport 8472
link set cilium_vxlan up
`, `
not enumerable cilium_vxlan: Cilium keeps its peers in a BPF map: run cilium-health status
`},
		"Calico IPIP": {"ipip", `
link add eth0 type veth peer name eth9
link set eth0 up
link set eth9 up
address add 10.0.0.1/24 dev eth0
link set tunl0 up
address add 10.244.1.0/32 dev tunl0
route add blackhole 10.244.1.0/26 proto 80
route add 10.244.2.0/26 via 10.0.0.2 dev tunl0 proto 80 onlink
route add 10.244.3.0/26 via 10.0.0.3 dev tunl0 proto 12 onlink
route add 10.244.4.0/26 via 10.0.0.4 dev eth0 proto 12
`, `
peer tunl0 ipip 10.244.2.0/26 outer 10.0.0.2 probed 10.244.2.0 10.244.2.1 guessed
peer tunl0 ipip 10.244.3.0/26 outer 10.0.0.3 probed 10.244.3.0 10.244.3.1 guessed
`},
		"Calico IPIP, taken down": {"ipip", `
link set tunl0 up
address add 10.244.1.0/32 dev tunl0
route add 10.244.2.0/26 via 10.0.0.2 dev tunl0 proto 80 onlink
link set tunl0 down
`, `
down tunl0: it has the address 10.244.1.0; the kernel drops the routes of a device that goes down
`},
		"flannel ipip": {"ipip", `
link add flannel.ipip type ipip local 10.0.0.1
link set flannel.ipip up
address add 10.244.1.0/32 dev flannel.ipip
route add 10.244.2.0/24 via 10.0.0.2 dev flannel.ipip onlink
`, `
peer flannel.ipip ipip 10.244.2.0/24 outer 10.0.0.2 probed 10.244.2.0 10.244.2.1
`},
		"kube-router": {"ipip", `
link add tun-1 type ipip local 10.0.0.1 remote 10.0.0.2
link set tun-1 up
route add 10.244.2.0/24 dev tun-1 proto 17
route add 10.0.0.2/32 dev tun-1 table 77
`, `
peer tun-1 ipip 10.244.2.0/24 outer 10.0.0.2 probed 10.244.2.1 10.244.2.0 guessed
`},
		"kube-router, IPv6": {"ip6tnl", `
link add tun-6 type ip6tnl local fd00::1 remote fd00::2
link set tun-6 up
route add fd00:10:244:2::/64 dev tun-6 proto 17
`, `
peer tun-6 ip6tnl fd00:10:244:2::/64 outer fd00::2 probed fd00:10:244:2::1 fd00:10:244:2:: guessed
`},
		"IPIP as Cilium has it": {"ipip", `
link set tunl0 name cilium_tunl
link add cilium_ipip4 type ipip external
link set cilium_ipip4 up
`, `
not enumerable cilium_ipip4: Cilium keeps its peers in a BPF map: run cilium-health status
not enumerable cilium_tunl: it is the kernel's tunl0, renamed by Cilium; no route uses it, and Kilo or another user of tunl0 will not find it
`},
		"geneve and gre": {"geneve", `
link add gnv0 type geneve id 7 remote 10.0.0.3 dstport 6081
link set gnv0 up addrgenmode none
address add 192.168.9.1/24 dev gnv0
route add 10.244.3.0/24 via 192.168.9.2 dev gnv0
link add genev_sys_6081 type geneve external dstport 6082
link set genev_sys_6081 up addrgenmode none
`, `
peer gnv0 geneve:6081 10.244.3.0/24 outer 10.0.0.3 probed 192.168.9.2
not enumerable genev_sys_6081: a BPF program or a flow sets the outer address of each packet (external, collect metadata); the kernel's tables do not have them
`},
	}
}

// What the fixtures say of a shape holds of the kernel that makes it.
func TestEnumerateTheKernel(t *testing.T) {
	for name, shape := range kernelShapes() {
		t.Run(name, func(t *testing.T) {
			sandbox := netstate.OpenNetns(checktest.Sandbox(t, "shape"))
			defer sandbox.Close()
			offers(t, shape.module)
			if shape.module == "ipip" { // see net.core.fb_tunnels_only_for_init_net
				checktest.Shell(t, "ip -n shape link show tunl0 || ip -n shape link add tunl0 type ipip")
			}
			checktest.Shell(t, commands(shape.setup))
			view, err := sandbox.View()
			if err != nil {
				t.Fatal(err)
			}
			defer view.Close()
			d, err := view.TunnelDump()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := tableText(tunnel.Enumerate(d)), strings.TrimPrefix(shape.want, "\n"); !sameLines(got, want) {
				t.Errorf("the table is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// commands makes each line one of ip, or of bridge, in the sandbox.
func commands(setup string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(setup)) {
		program := "ip"
		if strings.HasPrefix(line, "fdb ") {
			program = "bridge"
		}
		b.WriteString(program + " -n shape " + line)
	}
	return b.String()
}

// sameLines compares without regard to the order: it is that of indexes.
func sameLines(a, b string) bool {
	count := map[string]int{}
	for line := range strings.Lines(a) {
		count[line]++
	}
	for line := range strings.Lines(b) {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// offers skips the test where the kernel has no such devices. Those are what the
// machine of make test-vm is for: there it is a failure.
func offers(t *testing.T, kind string) {
	t.Helper()
	add := append([]string{"-n", "shape", "link", "add", "kind0", "type", kind}, arguments(kind)...)
	out, err := exec.Command("ip", add...).CombinedOutput()
	switch {
	case err == nil:
		checktest.Shell(t, "ip -n shape link delete kind0")
		return
	case os.Getenv("CNI_GUARD_KERNEL") == "vm":
		checktest.Lacking(t, "no "+kind+": "+string(out))
	}
	t.Skip("this kernel has no " + kind + "; run: go test -exec $PWD/scripts/in-vm ./pkg/tunnel")
}

func arguments(kind string) []string {
	switch kind {
	case "vxlan":
		return []string{"id", "77", "dstport", "7777"}
	case "geneve":
		return []string{"id", "77", "dstport", "7777", "remote", "192.0.2.77"}
	case "ip6tnl":
		return []string{"remote", "2001:db8::77"}
	}
	return []string{"remote", "192.0.2.77"}
}
