// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var guardctlMissing = Scenario{
	Name:     "guardctl-missing",
	Incident: "A path leads to the node when the pod is removed, and guardctl is not installed; later it is.",
	Harms:    []claim.Claim{claim.NodeLo, claim.PodGone, claim.AddressFree},
	NotOn: map[string]string{
		"podman": "podman calls DEL once and ignores the answer: without guardctl the node is safe, but the address leaks",
		"crio":   "CRI-O calls DEL once and ignores the answer: without guardctl the node is safe, but the address leaks",
	},
	Holds: []claim.Claim{
		claim.Retried, claim.NodeLo, claim.NodeEth0, claim.PodGone, claim.AddressFree, claim.Recognised,
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := s.DiscardGuardctl(); err != nil {
			return err
		}
		pod, err := runAndLose(ctx, s, "lost")
		if err != nil {
			return err
		}
		if s.Guarded {
			refusal := s.Runtime.Remove(ctx, pod)
			s.See(claim.Retried, refusal != nil, "the runtime took the pod for removed")
			lost := s.Leased(pod)
			s.See(claim.Retried, lost == nil, fmt.Sprint(lost))
			if err := s.SeeNode(); err != nil {
				return err
			}
			if err := s.ReturnGuardctl(); err != nil {
				return err
			}
		}
		if err := removeLost(ctx, s, pod); err != nil {
			return err
		}
		return s.SeeEvent(claim.Recognised, "host-netns")
	},
}
