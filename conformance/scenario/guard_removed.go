// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var guardRemoved = Scenario{
	Name:     "guard-removed",
	Incident: "The guard is uninstalled while pods run that started with it; then these pods are removed and others start.",
	Harmless: "without the guard there is nothing to uninstall; the scenario shows that the guard leaves nothing behind that pods need",
	Holds: []claim.Claim{
		claim.Recorded, claim.PodReady, claim.PodGone, claim.AddressFree, claim.NodeLo, claim.NodeEth0, claim.NodeAsBefore,
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		old, err := s.Runtime.Run(ctx, "old")
		if err != nil {
			return err
		}
		if err := s.SeeRecords(old); err != nil {
			return err
		}
		if err := s.UninstallGuard(ctx); err != nil {
			return err
		}
		if !s.Runtime.DeletesAsMade() {
			if err := s.DiscardGuard(); err != nil {
				return err
			}
		}
		fresh, err := s.Runtime.Run(ctx, "fresh")
		if err != nil {
			return err
		}
		for _, pod := range []runtimes.Pod{old, fresh} {
			if err := s.SeePod(claim.PodReady, pod); err != nil {
				return err
			}
			if err := s.Remove(ctx, pod); err != nil {
				return err
			}
		}
		if err := s.DiscardGuard(); err != nil {
			return err
		}
		if err := s.SeeNode(); err != nil {
			return err
		}
		return s.SeeNodeAsBefore(ctx)
	},
}
