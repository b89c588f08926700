// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/conformance/tunnels"
)

// coldTunnel: five nodes with IPIP tunnels, whose firewalls admit IP protocol 4 only from
// nodes to which they have sent some.
func coldTunnel() incident {
	return incident{
		name:  "cold-tunnel",
		title: "IPIP tunnels that lose the first packets",
		lacking: func() string {
			if _, err := netlink.LinkByName("tunl0"); err != nil {
				return "this kernel has no ipip; make test-vm plays it in a virtual machine"
			}
			return ""
		},
		play: func(ctx context.Context, r *rig) (err error) {
			network, err := tunnels.NewNetwork(5)
			if err != nil {
				return err
			}
			defer network.Close()
			dirs := tunnels.Dirs{Reference: r.ref, Guard: r.guard, Work: filepath.Join(r.dir, "nodes")}
			cluster, err := tunnels.NewCluster(network, dirs, r.guard != "", 2, io.Discard)
			if err != nil {
				return err
			}
			share, err := cluster.Deploy(ctx, 24)
			if err != nil {
				return err
			}
			r.event("24 pods start on five nodes; each connects to one on another node within a second of its start")
			r.expect(share.Reached == share.Tried,
				fmt.Sprintf("%s first connections succeed", share), fmt.Sprintf("only %s first connections succeed; the others TIME OUT", share))
			return nil
		},
	}
}
