// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var statusMends = Scenario{
	Name:     "status-mends",
	Incident: "The node's lo goes down, and no pod starts or ends: kubelet only asks the runtime for its status, and a node that is NotReady gets no pod.",
	Harms:    []claim.Claim{claim.NodeLo},
	Holds:    []claim.Claim{claim.NodeLo, claim.NodeEth0, claim.Repaired, claim.NodeReady},
	NotOn: map[string]string{
		"containerd": statusReports.NotOn["containerd"],
		"podman":     statusReports.NotOn["podman"],
	},
	Setup: rig.Setup{CNIVersion: "1.1.0"},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := node.SetLoDown(s.NodeNamespace()); err != nil {
			return err
		}
		// Without a grace period CRI-O calls STATUS until the first success after its
		// start, and not again. The others do not mind.
		if err := restart(ctx, s); err != nil {
			return err
		}
		if err := awaitReady(ctx, s); err != nil {
			return err
		}
		if err := s.SeeNode(); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Repaired, "host-loopback"); err != nil {
			return err
		}
		return seeNodeReady(ctx, s)
	},
}
