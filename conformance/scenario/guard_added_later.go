// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var guardAddedLater = Scenario{
	Name:     "guard-added-later",
	Incident: "The guard is installed while pods run, of which it has no record; one pod's path leads to the node when the pod is removed.",
	Harms:    []claim.Claim{claim.NodeLo, claim.PodGone, claim.AddressFree},
	NotOn: map[string]string{
		"podman": "podman deletes a pod with the conflist that it was added with, so that the guard is not called for pods that are older",
		"crio":   "CRI-O deletes a pod with the conflist that it was added with: guard-older-pods shows what follows",
	},
	Holds: []claim.Claim{
		claim.NodeLo, claim.NodeEth0, claim.PodGone, claim.AddressFree, claim.Recognised, claim.PodReady, claim.NoRecord,
	},
	Setup: rig.Setup{Late: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods, err := s.RunAll(ctx, "lost", "older")
		if err != nil {
			return err
		}
		lost, older := pods[0], pods[1]
		if err := s.Leased(lost); err != nil {
			return err
		}
		if err := s.InstallGuard(ctx); err != nil {
			return err
		}
		if err := s.Runtime.Lose(lost, s.NodeNamespace()); err != nil {
			return err
		}
		if err := removeLost(ctx, s, lost); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Recognised, "host-netns"); err != nil {
			return err
		}
		if err := s.SeePod(claim.PodReady, older); err != nil {
			return err
		}
		// A pod that the guard knows nothing of, and that is well, goes as ever.
		if err := s.Remove(ctx, older); err != nil {
			return err
		}
		return s.SeeNoRecord()
	},
}
