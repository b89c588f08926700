// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var runtimeRestarted = Scenario{
	Name:     "runtime-restarted",
	Incident: "The runtime is killed and started again between ADD and DEL; a path leads to another pod meanwhile.",
	Harms:    []claim.Claim{claim.Neighbour},
	Holds:    []claim.Claim{claim.PodReady, claim.Neighbour, claim.PodGone, claim.AddressFree, claim.Recognised, claim.NoRecord, claim.NodeAsBefore},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods, err := s.RunAll(ctx, "lost", "neighbour")
		if err != nil {
			return err
		}
		lost, neighbour := pods[0], pods[1]
		if err := s.Leased(lost); err != nil {
			return err
		}
		if err := s.Runtime.Kill(); err != nil {
			return err
		}
		if err := s.Runtime.Lose(lost, neighbour.Netns); err != nil {
			return err
		}
		if err := s.Runtime.Start(ctx); err != nil {
			return err
		}
		if err := removeLostToNeighbour(ctx, s, lost, neighbour); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Recognised, "foreign-netns"); err != nil {
			return err
		}
		return removeAll(ctx, s, neighbour)
	},
}
