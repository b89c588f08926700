// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var pathToOtherPod = Scenario{
	Name:     "path-to-other-pod",
	Incident: "When a pod is removed, its namespace path leads to another pod, which keeps running.",
	Harms:    []claim.Claim{claim.Neighbour, claim.PodsTalk},
	Holds: []claim.Claim{
		claim.PodReady, claim.Neighbour, claim.PodsTalk, claim.PodGone, claim.AddressFree, claim.Recognised, claim.NodeLo,
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods, err := s.RunAll(ctx, "lost", "neighbour", "client")
		if err != nil {
			return err
		}
		lost, neighbour, client := pods[0], pods[1], pods[2]
		if err := s.Leased(lost); err != nil {
			return err
		}
		if err := s.Runtime.Lose(lost, neighbour.Netns); err != nil {
			return err
		}
		if err := removeLostToNeighbour(ctx, s, lost, neighbour); err != nil {
			return err
		}
		s.SeeTalk(ctx, client, neighbour)
		if err := s.SeeEvent(claim.Recognised, "foreign-netns"); err != nil {
			return err
		}
		return removeAll(ctx, s, neighbour, client)
	},
}
