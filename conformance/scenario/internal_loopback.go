// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var internalLoopback = Scenario{
	Name:     "internal-loopback",
	Incident: "The runtime brings lo of pods up itself and calls no loopback plugin (CRI-O; containerd 2 with use_internal_loopback), though the reference plugin is in its folder; a path leads to the node when its pod is removed.",
	Harms:    []claim.Claim{claim.NodeEth0},
	Holds: []claim.Claim{
		claim.PodReady, claim.PodsTalk, claim.Verified, claim.Recorded, claim.PodGone, claim.AddressFree, claim.Recognised, claim.NodeLo, claim.NodeEth0, claim.NoRecord,
	},
	NotOn: map[string]string{
		"libcni":     "libcni leaves lo to its caller; conformance/matrix has chains without a loopback plugin",
		"containerd": "containerd 1.6 has no such option",
		"podman":     "podman does so in all scenarios, and guardctl does not support podman",
	},
	Setup: rig.Setup{Bridge: true, Settings: runtimes.Settings{InternalLoopback: true}},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods, err := s.RunAll(ctx, "lost", "web")
		if err != nil {
			return err
		}
		lost, web := pods[0], pods[1]
		for _, pod := range pods {
			if err := s.SeePod(claim.PodReady, pod); err != nil {
				return err
			}
		}
		s.SeeTalk(ctx, lost, web)
		if err := s.SeeRecords(pods...); err != nil {
			return err
		}
		if err := seeVerified(ctx, s); err != nil {
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
		if err := s.Remove(ctx, web); err != nil {
			return err
		}
		return s.SeeNoRecord()
	},
}

// seeVerified looks whether guardctl reports a loopback plugin that is
// not called.
func seeVerified(ctx context.Context, s *rig.Rig) error {
	if !s.Guarded {
		return nil
	}
	if err := s.ReturnPlugin("loopback"); err != nil {
		return err
	}
	answer, err := s.Guardctl(ctx, "verify")
	if err != nil {
		return err
	}
	s.See(claim.Verified, answer.Code == 0 && answer.Says("calls no loopback plugin"), answer.String())
	return nil
}
