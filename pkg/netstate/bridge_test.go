// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// bridged is a node with a bridge, and two ports of pods, of which one was lost.
const bridged = `link lo index 1
link cni0 index 8 kind bridge
link other0 index 9 kind bridge
link veth0.1 index 17 kind veth peer 2 master 8
link lost index 18 kind veth peer 3
`

const bridgedSetup = `
ip netns add far
ip -n near link add cni0 index 8 type bridge
ip -n near link add other0 index 9 type bridge
ip -n near link add veth0.1 index 17 type veth peer name eth0 index 2 netns far
ip -n near link add lost index 18 type veth peer name eth1 index 3 netns far
ip -n near link set veth0.1 master cni0
`

// near opens the node of bridgedSetup.
func near(t testing.TB) *netstate.Live {
	t.Helper()
	v := view(t, sandbox(t, "near"))
	checktest.Shell(t, bridgedSetup)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", "far").Run() })
	return v
}

// The fake and the kernel agree on what a port is, before and after it is added.
func TestPorts(t *testing.T) {
	fake := parse(t, bridged)
	kernel := near(t)
	describe := func(v netstate.View) string {
		var b strings.Builder
		for _, name := range []string{"veth0.1", "lost", "cni0"} {
			byName, err := v.Link(name)
			must(t, err)
			byIndex, err := v.LinkByIndex(byName.Index)
			must(t, err)
			if byIndex.Name != name || byIndex.Kind != byName.Kind || byIndex.Master != byName.Master || byIndex.Peer != byName.Peer || byIndex.Up != byName.Up {
				t.Errorf("by its name the link is %+v, by its index %+v", byName, byIndex)
			}
			master, err := v.MasterOf(byIndex)
			must(t, err)
			if byName.Master != 0 {
				if whole, err := v.LinkByIndex(byName.Master); err != nil || master.Name != whole.Name || master.Index != whole.Index || master.Kind != whole.Kind || master.Up != whole.Up {
					t.Errorf("%s is a port of %+v, which is %+v, %v", name, master, whole, err)
				}
			}
			fmt.Fprintf(&b, "%s index %d kind %s master %d of kind %q: %+v, peer %d\n", name, byName.Index, byName.Kind, byName.Master, byName.MasterKind, master, byName.Peer)
		}
		return b.String()
	}
	same := func(when string) {
		t.Helper()
		if got, want := describe(kernel), describe(fake); got != want {
			t.Errorf("%s the kernel has\n%swhere the fake has\n%s", when, got, want)
		}
	}
	same("to begin with")
	for _, v := range []netstate.View{fake, kernel} {
		must(t, v.AddPort("cni0", "lost", netstate.PortSettings{Hairpin: true, Isolated: true}))
		must(t, v.AddPort("other0", "veth0.1", netstate.PortSettings{}))
		if err := v.AddPort("cni0", "nonesuch", netstate.PortSettings{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the error for a link that is not there is %v", err)
		}
		if err := v.AddPort("nonesuch", "lost", netstate.PortSettings{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the error for a bridge that is not there is %v", err)
		}
		if _, err := v.LinkByIndex(4711); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the error for an index that is not there is %v", err)
		}
		if _, err := v.LinkByIndex(0); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the error for index 0 is %v", err)
		}
		if _, err := v.MasterOf(netstate.Link{Name: "lost", Master: 4711}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the error for a bridge that is gone is %v", err)
		}
		must(t, v.SetUp("cni0"))
	}
	same("after the ports were added")
	checktest.Shell(t, `
ip -n near -d link show lost | grep -q "hairpin on.* isolated on"
ip -n near -d link show veth0.1 | grep -q "hairpin off.* isolated off"
`)
}

// The settings are of one bridge alone, and of one family.
func TestBridge(t *testing.T) {
	fake := parse(t, bridged)
	kernel := near(t)
	// The kernel may be built without it (CONFIG_BRIDGE_VLAN_FILTERING).
	vlans := exec.Command("ip", "-n", "near", "link", "set", "other0", "type", "bridge", "vlan_filtering", "1").Run() == nil
	for name, v := range map[string]netstate.View{"fake": fake, "kernel": kernel} {
		bridge := func(of string) netstate.Bridge {
			t.Helper()
			b, err := v.Bridge(of)
			must(t, err)
			return b
		}
		if b := bridge("cni0"); b != (netstate.Bridge{}) {
			t.Errorf("%s: a new bridge has %+v", name, b)
		}
		must(t, v.SetBridgeNetfilter("cni0", true))
		if b := bridge("cni0"); b != (netstate.Bridge{NFCallIP6Tables: true}) {
			t.Errorf("%s: after the setting for IPv6 the bridge has %+v", name, b)
		}
		must(t, v.SetBridgeNetfilter("cni0", false))
		if b := bridge("cni0"); b != (netstate.Bridge{NFCallIPTables: true, NFCallIP6Tables: true}) || !b.NFCall(true) || !b.NFCall(false) {
			t.Errorf("%s: after both settings the bridge has %+v", name, b)
		}
		if b := bridge("other0"); b.NFCallIPTables || b.NFCallIP6Tables {
			t.Errorf("%s: the other bridge has %+v", name, b)
		}
		for _, none := range []string{"lost", "nonesuch", ""} {
			if _, err := v.Bridge(none); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the error for %q, which is no bridge, is %v", name, none, err)
			}
		}
	}
	if b, err := kernel.Bridge("other0"); err != nil || b.VLANFiltering != vlans {
		t.Errorf("the bridge with VLANs has %+v, %v", b, err)
	}
}

// The cost must not grow with the links of the node.
func BenchmarkLinkByIndex(b *testing.B) {
	v := near(b)
	for b.Loop() {
		if _, err := v.LinkByIndex(17); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBridge(b *testing.B) {
	v := near(b)
	for b.Loop() {
		if _, err := v.Bridge("cni0"); err != nil {
			b.Fatal(err)
		}
	}
}

// RTM_GETNETCONF against the file, which it replaces at each ADD.
func BenchmarkForwards(b *testing.B) {
	v, err := netstate.OpenNode()
	must(b, err)
	b.Cleanup(v.Close)
	link, err := v.Link("lo")
	must(b, err)
	for name, of := range map[string]netstate.Forwarding{"netlink": v, "file": netstate.SysctlReader(v.Sysctl)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := of.Forwards4(link); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The fake and the kernel agree on what ip_forward sets.
func TestForwarding(t *testing.T) {
	fake := parse(t, `
sysctl net/ipv4/ip_forward = 1
sysctl net/ipv4/conf/all/forwarding = 1
sysctl net/ipv4/conf/default/forwarding = 1
sysctl net/ipv4/conf/veth0.1/forwarding = 1
`)
	kernel := near(t)
	must(t, kernel.SetSysctl("net/ipv4/ip_forward", "1"))
	for _, change := range [][2]string{
		{"net/ipv4/conf/default/forwarding", "0"},
		{"net/ipv4/conf/veth0.1/forwarding", "0"},
		{"net/ipv4/ip_forward", "1"}, // as it is
		{"net/ipv4/ip_forward", "0"},
		{"net/ipv4/conf/veth0.1/forwarding", "1"},
		{"net/ipv4/ip_forward", "1"},
	} {
		must(t, fake.SetSysctl(change[0], change[1]))
		must(t, kernel.SetSysctl(change[0], change[1]))
		for _, name := range []string{"net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv4/conf/default/forwarding", "net/ipv4/conf/veth0.1/forwarding"} {
			want, err := fake.Sysctl(name)
			must(t, err)
			if got, err := kernel.Sysctl(name); err != nil || got != want {
				t.Errorf("after %v the kernel has %s = %s, %v; the fake has %s", change, name, got, err, want)
			}
		}
		link, err := kernel.Link("veth0.1")
		must(t, err)
		want, err := fake.Forwards4(link)
		must(t, err)
		if got, err := kernel.Forwards4(link); err != nil || got != want {
			t.Errorf("after %v the kernel forwards %t, %v; the fake %t", change, got, err, want)
		}
	}
	// IPv6 has one sysctl for all interfaces.
	for _, on := range []bool{true, false} {
		value := map[bool]string{true: "1", false: "0"}
		must(t, kernel.SetSysctl("net/ipv6/conf/all/forwarding", value[on]))
		must(t, kernel.SetSysctl("net/ipv6/conf/default/forwarding", value[!on])) // is not asked for
		if got, err := kernel.Forwards6(); err != nil || got != on {
			t.Errorf("the kernel forwards IPv6: %t, %v; want %t", got, err, on)
		}
	}
}
