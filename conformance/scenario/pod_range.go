// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/podrange"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// podRange is a scenario for each address of the node that pods may take away.
func podRange(c podrange.Case) Scenario {
	harm := []claim.Claim{claim.NodeReaches, claim.PodReaches}
	return Scenario{
		Name:     "pod-range-" + c.Name,
		Incident: "The range of the pods contains " + c.What + ", and the first pod starts.",
		Harms:    harm,
		Limits:   harm,
		Limit: "the range is the cluster's, so that no call can prevent the overlap, and refusing would refuse every pod. guardctl doctor " +
			"names the range and the address before the first pod starts; pods of another range are the cure, on a node without the old bridge",
		Holds: []claim.Claim{claim.RangeNamed, claim.PodReady, claim.PodGone, claim.AddressFree, claim.RangeCured},
		Setup: rig.Setup{Bridge: true, Range: c.Range, Guard: c.Guard()},
		Play: func(ctx context.Context, s *rig.Rig) error {
			address, err := s.Need(ctx, c)
			if err != nil {
				return err
			}
			if err := s.SeeRangeNamed(ctx, c); err != nil {
				return err
			}
			pod, err := s.Runtime.Run(ctx, "web")
			if err != nil {
				return err
			}
			if err := s.SeePod(claim.PodReady, pod); err != nil {
				return err
			}
			s.SeeNeeded(ctx, pod, address)
			if err := s.SeeRangeNamed(ctx, c); err != nil {
				return err
			}
			if err := s.Remove(ctx, pod); err != nil || !s.Guarded {
				return err
			}
			if err := s.Renumber(ctx); err != nil {
				return err
			}
			pod, err = s.Runtime.Run(ctx, "web")
			if err != nil {
				return err
			}
			if err := s.SeeRangeCured(ctx, pod, address); err != nil {
				return err
			}
			return s.Remove(ctx, pod)
		},
	}
}
