// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var normalLife = Scenario{
	Name:     "normal-life",
	Incident: "None: two pods start, talk to each other and end, and the next pod gets one of their addresses.",
	Harmless: "nothing goes wrong here; the scenario shows that the guard is not in the way",
	Holds: []claim.Claim{
		claim.PodReady, claim.PodsTalk, claim.PodsPing, claim.Recorded, claim.PodGone, claim.AddressFree, claim.AddressUsed,
		claim.NoRecord, claim.NodeLo, claim.NodeEth0, claim.NodeAsBefore,
	},
	Setup: rig.Setup{Addresses: 2},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods, err := s.RunAll(ctx, "web", "db")
		if err != nil {
			return err
		}
		for _, pod := range pods {
			if err := s.SeePod(claim.PodReady, pod); err != nil {
				return err
			}
		}
		s.SeeTalk(ctx, pods[0], pods[1])
		s.SeePing(ctx, pods[0], pods[1])
		if err := s.SeeRecords(pods...); err != nil {
			return err
		}
		for _, pod := range pods {
			if err := s.Remove(ctx, pod); err != nil {
				return err
			}
		}
		next, err := s.Runtime.Run(ctx, "next")
		if err != nil {
			return err
		}
		s.See(claim.AddressUsed, next.Address == pods[0].Address || next.Address == pods[1].Address, next.Address)
		return removeAll(ctx, s, next)
	},
}
