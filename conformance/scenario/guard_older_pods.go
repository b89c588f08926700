// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var guardOlderPods = Scenario{
	Name:     "guard-older-pods",
	Incident: "The guard is installed while a pod runs, and then another starts; the paths of both lead to the node when they are removed, the newer pod first.",
	Harms:    []claim.Claim{claim.NewerPod, claim.NodeEth0},
	Limits:   []claim.Claim{claim.NodeEth0},
	Limit:    "the runtime deletes a pod with the conflist that it was added with, and does not call the guard for older pods: recreate them",
	Holds:    []claim.Claim{claim.NewerPod, claim.Recognised, claim.PodGone, claim.AddressFree, claim.NodeLo, claim.NoRecord},
	NotOn: map[string]string{
		"libcni":      "it deletes with the present conflist: guard-added-later",
		"containerd":  "it deletes with the present conflist: guard-added-later",
		"containerd2": "it deletes with the present conflist: guard-added-later",
	},
	Setup: rig.Setup{Late: true, Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		older, err := s.Runtime.Run(ctx, "older")
		if err != nil {
			return err
		}
		if err := s.InstallGuard(ctx); err != nil {
			return err
		}
		newer, err := runAndLose(ctx, s, "newer")
		if err != nil {
			return err
		}
		if err := s.Remove(ctx, newer); err != nil {
			return err
		}
		if err := s.SeeEth0(claim.NewerPod); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Recognised, "host-netns"); err != nil {
			return err
		}
		if err := s.Runtime.Lose(older, s.NodeNamespace()); err != nil {
			return err
		}
		if err := removeLost(ctx, s, older); err != nil {
			return err
		}
		return s.SeeNoRecord()
	},
}
