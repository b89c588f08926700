// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// forwardingOff: new interfaces do not forward, because a file in sysctl.d sets
// net.ipv4.conf.default.forwarding, although net.ipv4.ip_forward is 1.
func forwardingOff() incident {
	return incident{
		name:  "forwarding-off",
		title: "IP forwarding switched off",
		play: func(ctx context.Context, r *rig) error {
			const server = node.Outside + ":8080"
			on, err := r.runtime(chain.PTP(r.hostLocal()))
			if err != nil {
				return err
			}
			outside, err := r.node.PlugOutside()
			if err != nil {
				return err
			}
			if _, err := node.Serve(ctx, outside, server); err != nil {
				return err
			}
			// In this order: ip_forward sets the default as well.
			for _, set := range [][2]string{{"net/ipv4/ip_forward", "1"}, {"net/ipv4/conf/default/forwarding", "0"}} {
				if err := setSysctl(set[0], set[1]); err != nil {
					return err
				}
			}
			r.event("sysctl: net.ipv4.ip_forward = 1, net.ipv4.conf.default.forwarding = 0")
			p, err := r.start(ctx, on, "web-0")
			if err != nil {
				return err
			}
			r.expect(connects(ctx, p, server), "the pod reaches other nodes", "the pod reaches NOTHING beyond its node")
			return nil
		},
	}
}
