// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// flannel makes the vxlan device of flannel in a sandbox, with one peer by each
// family, and other things that are no tunnels.
const flannel = `
ip -n dump link add eth0 index 30 type veth peer name peer0
ip -n dump link set peer0 up addrgenmode none
ip -n dump link set eth0 up addrgenmode none
ip -n dump address add 192.168.7.1/24 dev eth0
ip -n dump link add flannel.1 index 9 type vxlan id 1 dstport 8472 local 192.168.7.1 nolearning
ip -n dump link set flannel.1 up addrgenmode none
ip -n dump address add 10.244.1.0/32 dev flannel.1
ip -n dump route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip -n dump neighbour add 10.244.2.0 dev flannel.1 lladdr 0a:58:0a:f4:02:00 nud permanent
bridge -n dump fdb append 0a:58:0a:f4:02:00 dev flannel.1 dst 192.168.7.2 self permanent
ip -n dump address add fd00:10:244:1::/128 dev flannel.1 nodad
ip -n dump route add fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel.1 onlink
ip -n dump neighbour add fd00:10:244:2:: dev flannel.1 lladdr 0a:58:0a:f4:02:00 nud permanent
ip -n dump neighbour add 10.244.9.0 dev flannel.1 nud failed
ip -n dump route add 10.245.0.0/26 via 192.168.7.3 dev eth0 proto 80
ip -n dump route add blackhole 10.246.0.0/26 proto 80
ip -n dump route add unreachable fd00:10:246::/64 proto 12
ip -n dump route add throw 10.247.0.0/26 proto 80 table 1
ip -n dump route add 10.244.3.0/24 dev flannel.1 table 77 proto 17
ip -n dump route add 10.244.4.0/24 nexthop via 10.244.2.0 dev flannel.1 onlink nexthop via 192.168.7.3 dev eth0
ip -n dump link add cilium_vxlan index 11 type vxlan external dstport 8473
ip -n dump link add group0 index 12 type vxlan id 5 group 239.1.1.1 dev eth0 dstport 4789
ip -n dump link add pair0 index 13 type vxlan id 6 remote 192.168.7.9 dstport 4790
`

func TestLiveTunnelDump(t *testing.T) {
	v := view(t, sandbox(t, "dump"))
	checktest.Shell(t, flannel)
	want := strings.TrimPrefix(`
link flannel.1 9 vxlan true 192.168.7.1 invalid IP false 1 8472 [10.244.1.0/32 fd00:10:244:1::/128]
link cilium_vxlan 11 vxlan false invalid IP invalid IP true 0 8473 []
link group0 12 vxlan false invalid IP invalid IP false 5 4789 []
link pair0 13 vxlan false invalid IP 192.168.7.9 false 6 4790 []
route 10.244.2.0/24 via 10.244.2.0 9 table 254 proto 3 onlink true multipath false
route 10.244.3.0/24 via invalid IP 9 table 77 proto 17 onlink false multipath false
route 10.244.4.0/24 via 10.244.2.0 9 table 254 proto 3 onlink true multipath true
route fd00:10:244:1::/128 via invalid IP 9 table 254 proto 2 onlink false multipath false
route fd00:10:244:2::/64 via fd00:10:244:2:: 9 table 254 proto 3 onlink true multipath false
own 10.246.0.0/26
own fd00:10:246::/64
neigh 10.244.2.0 9 0a:58:0a:f4:02:00
neigh fd00:10:244:2:: 9 0a:58:0a:f4:02:00
fdb 9 0a:58:0a:f4:02:00 192.168.7.2
`, "\n")
	for range 2 {
		d, err := v.TunnelDump()
		must(t, err)
		if got := dumpText(d); got != want {
			t.Errorf("strict %t: the dump is\n%s\nwant\n%s", v.Strict(), got, want)
		}
		must(t, v.ForgetStrict())
	}
}

// dumpText leaves out what the kernel adds by itself: the devices of modules that
// are built in, and the FDB entry of a device with a remote.
func dumpText(d netstate.TunnelDump) string {
	var b strings.Builder
	ours := func(index int) bool { return index >= 9 && index <= 13 }
	for _, l := range d.Links {
		if ours(l.Index) {
			slices.SortFunc(l.Addrs, netip.Prefix.Compare)
			fmt.Fprintln(&b, "link", l.Name, l.Index, l.Kind, l.Up, l.Local, l.Remote, l.External, l.VNI, l.Port, l.Addrs)
		}
	}
	slices.SortStableFunc(d.Routes, func(a, b netstate.TunnelRoute) int { return a.Dst.Compare(b.Dst) })
	for _, r := range d.Routes {
		if !r.Dst.Addr().IsLinkLocalUnicast() && !r.Dst.Addr().IsMulticast() {
			fmt.Fprintln(&b, "route", r.Dst, "via", r.Gateway, r.Link, "table", r.Table, "proto", r.Protocol, "onlink", r.Onlink, "multipath", r.Multipath)
		}
	}
	for _, p := range d.Own {
		fmt.Fprintln(&b, "own", p)
	}
	for _, n := range d.Neighbours {
		if !n.Addr.IsMulticast() {
			fmt.Fprintln(&b, "neigh", n.Addr, n.Link, n.MAC)
		}
	}
	for _, e := range d.FDB {
		if e.MAC != (netstate.MAC{}) {
			fmt.Fprintln(&b, "fdb", e.Link, e.MAC, e.Dst)
		}
	}
	return b.String()
}
