// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var nodeLoDown = Scenario{
	Name:     "node-lo-down",
	Incident: "The node's lo is down when the next pod starts.",
	Harms:    []claim.Claim{claim.NodeLo},
	Holds:    []claim.Claim{claim.PodReady, claim.NodeLo, claim.NodeEth0, claim.Repaired, claim.PodGone, claim.AddressFree, claim.NodeAsBefore},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := node.SetLoDown(s.NodeNamespace()); err != nil {
			return err
		}
		pod, err := s.Runtime.Run(ctx, "web")
		if err != nil {
			return err
		}
		if err := s.SeePod(claim.PodReady, pod); err != nil {
			return err
		}
		if err := s.SeeNode(); err != nil {
			return err
		}
		if !s.Guarded {
			return nil
		}
		if err := s.SeeEvent(claim.Repaired, "host-loopback"); err != nil {
			return err
		}
		return removeAll(ctx, s, pod)
	},
}
