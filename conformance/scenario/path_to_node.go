// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var pathToNode = Scenario{
	Name:     "path-to-node",
	Incident: "When a pod is removed, its namespace path leads to the node (kubernetes#100648, containerd#5630).",
	Harms:    []claim.Claim{claim.NodeLo, claim.PodGone, claim.AddressFree},
	HarmsOn:  map[string][]claim.Claim{"podman": {claim.NodeEth0}, "crio": {claim.NodeEth0}},
	Holds: []claim.Claim{
		claim.NodeLo, claim.NodeEth0, claim.PodGone, claim.AddressFree, claim.Recognised, claim.NoRecord,
	},
	// bridge deletes eth0 before it does anything that could fail; ptp does not.
	Setup: rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pod, err := runAndLose(ctx, s, "lost")
		if err != nil {
			return err
		}
		if err := removeLost(ctx, s, pod); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Recognised, "host-netns"); err != nil {
			return err
		}
		return s.SeeNoRecord()
	},
}
