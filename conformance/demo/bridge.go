// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/exec"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// bridgeNetfilterOff: iptables does not see the traffic between ports of one bridge, so
// the answer of a service's backend does not pass the NAT that changed the request.
func bridgeNetfilterOff() incident {
	const sysctl = "net/bridge/bridge-nf-call-iptables"
	return incident{
		name:  "bridge-netfilter-off",
		title: "Bridge netfilter switched off",
		lacking: func() string {
			if _, err := os.Stat("/proc/sys/" + sysctl); err != nil {
				return "this kernel has no br_netfilter loaded"
			}
			return lackingIptables()
		},
		play: func(ctx context.Context, r *rig) error {
			const service = "10.96.0.10"
			on, err := r.runtime(chain.Bridge(r.hostLocal()))
			if err != nil {
				return err
			}
			if err := setSysctl(sysctl, "0"); err != nil {
				return err
			}
			r.event("sysctl: net.bridge.bridge-nf-call-iptables = 0")
			backend, err := r.start(ctx, on, "backend")
			if err != nil {
				return err
			}
			if _, err := node.Serve(ctx, backend.Netns, ":8080"); err != nil {
				return err
			}
			for _, rule := range [][]string{
				{"-N", "KUBE-SERVICES"},
				{"-A", "PREROUTING", "-j", "KUBE-SERVICES"},
				{"-A", "KUBE-SERVICES", "-d", service, "-p", "tcp", "--dport", "80", "-j", "DNAT", "--to-destination", backend.addr + ":8080"},
			} {
				if err := shell("iptables", append([]string{"-w", "-t", "nat"}, rule...)...); err != nil {
					return err
				}
			}
			r.event("service %s:80 has one endpoint, %s:8080, on the same node", service, backend.addr)
			client, err := r.start(ctx, on, "client")
			if err != nil {
				return err
			}
			r.expect(connects(ctx, client, service+":80"), "the service answers", "the service TIMES OUT for pods on the same node")
			return nil
		},
	}
}

func lackingIptables() string {
	if _, err := exec.LookPath("iptables"); err != nil {
		return "iptables is not installed"
	}
	return ""
}
