// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// tunnelPeers is how many nodes are at the other ends of the tunnel.
const tunnelPeers = 1000

// makeTunnels creates a vxlan on the node, as flannel does on a large cluster. None
// of its peers answers.
func makeTunnels() error {
	var ip, bridge strings.Builder
	fmt.Fprintln(&ip, "link add flannel.1 type vxlan id 1 local 192.0.2.1 dstport 8472 nolearning")
	fmt.Fprintln(&ip, "address add 10.244.0.0/32 dev flannel.1")
	fmt.Fprintln(&ip, "link set flannel.1 up")
	for i := range tunnelPeers {
		block := fmt.Sprintf("10.%d.%d.0", 200+i/250, i%250)
		mac := fmt.Sprintf("0a:58:01:00:%02x:%02x", i/250, i%250)
		fmt.Fprintf(&ip, "neigh add %s lladdr %s dev flannel.1\n", block, mac)
		fmt.Fprintf(&ip, "route add %s/24 via %s dev flannel.1 onlink\n", block, block)
		fmt.Fprintf(&bridge, "fdb append %s dev flannel.1 dst 198.18.%d.%d\n", mac, i/250, i%250)
	}
	for _, batch := range []struct{ program, lines string }{{"ip", ip.String()}, {"bridge", bridge.String()}} {
		cmd := exec.Command(batch.program, "-batch", "-")
		cmd.Stdin = strings.NewReader(batch.lines)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("make tunnels: %s: %w: %s", batch.program, err, out)
		}
	}
	return nil
}
