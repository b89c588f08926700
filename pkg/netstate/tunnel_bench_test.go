// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// A dump of a node of a large cluster, in the shape of flannel, on which other
// routes and links are as many.
func BenchmarkTunnelDump(b *testing.B) {
	for _, peers := range []int{10, 1000, 5000} {
		b.Run(fmt.Sprintf("peers=%d", peers), func(b *testing.B) {
			v := view(b, sandbox(b, "bench"))
			manyPeers(b, "bench", peers)
			b.ReportAllocs()
			for b.Loop() {
				d, err := v.TunnelDump()
				if err != nil || len(d.Routes) < peers || len(d.FDB) < peers || len(d.Neighbours) < peers {
					b.Fatalf("%d routes, %d entries, %d neighbours, error %v", len(d.Routes), len(d.FDB), len(d.Neighbours), err)
				}
			}
		})
	}
}

// A dump of a kind that such a node does not have, beside the links of many pods.
func BenchmarkTunnelDumpOfOtherKinds(b *testing.B) {
	v := view(b, sandbox(b, "bench"))
	manyPeers(b, "bench", 1000)
	checktest.Shell(b, `for i in $(seq 250); do echo "link add pod$i type veth peer name peer$i"; done | ip -n bench -batch -`)
	b.ReportAllocs()
	for b.Loop() {
		if d, err := v.TunnelDump("ipip"); err != nil || len(d.Links) > 1 { // the tunl0 of the kernel
			b.Fatalf("%d links, error %v", len(d.Links), err)
		}
	}
}

func manyPeers(b *testing.B, in string, peers int) {
	b.Helper()
	checktest.Shell(b, `
echo 16384 >/proc/sys/net/ipv4/neigh/default/gc_thresh3 || true
ip -n `+in+` link add eth0 type veth peer name peer0
ip -n `+in+` link set eth0 up
ip -n `+in+` address add 192.168.0.1/16 dev eth0
ip -n `+in+` link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.0.1 nolearning
ip -n `+in+` link set flannel.1 up
ip -n `+in+` address add 10.0.0.0/32 dev flannel.1
`)
	var routes, entries strings.Builder
	for i := 1; i <= peers; i++ {
		block, mac := fmt.Sprintf("10.%d.%d.0", i>>8, i&255), fmt.Sprintf("02:00:00:00:%02x:%02x", i>>8, i&255)
		fmt.Fprintf(&routes, "route add %s/24 via %s dev flannel.1 onlink\nroute add 172.%d.%d.0/24 dev eth0\n", block, block, 16+i>>8, i&255)
		fmt.Fprintf(&routes, "neighbour add %s dev flannel.1 lladdr %s nud permanent\n", block, mac)
		fmt.Fprintf(&entries, "fdb append %s dev flannel.1 dst 192.168.%d.%d self permanent\n", mac, i>>8, i&255)
	}
	for program, batch := range map[string]string{"ip": routes.String(), "bridge": entries.String()} {
		cmd := exec.Command(program, "-n", in, "-batch", "-")
		cmd.Stdin = strings.NewReader(batch)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("add %d peers: %v: %s", peers, err, out)
		}
	}
}
