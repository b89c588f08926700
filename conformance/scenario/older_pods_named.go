// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var olderPodsNamed = Scenario{
	Name:     "older-pods-named",
	Incident: "The guard is installed while a pod runs, and then another starts. The operator runs guardctl doctor, recreates the older pod, and runs it again.",
	Harmless: "nothing goes wrong here; guard-older-pods shows what can",
	Holds:    []claim.Claim{claim.OlderNamed, claim.PodReady, claim.Recorded, claim.PodGone, claim.AddressFree, claim.NodeLo, claim.NodeEth0, claim.NoRecord},
	NotOn: map[string]string{
		"libcni":      "it deletes with the present conflist, so that no pod is without the guard: guard-added-later",
		"containerd":  "it deletes with the present conflist, so that no pod is without the guard: guard-added-later",
		"containerd2": "it deletes with the present conflist, so that no pod is without the guard: guard-added-later",
		"podman":      "guardctl does not support podman, and cannot tell which containers are older",
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
		newer, err := s.Runtime.Run(ctx, "newer")
		if err != nil {
			return err
		}
		if err := seeOlder(ctx, s, "default/older"); err != nil {
			return err
		}
		if err := s.Remove(ctx, older); err != nil {
			return err
		}
		again, err := s.Runtime.Run(ctx, "older")
		if err != nil {
			return err
		}
		if err := s.SeePod(claim.PodReady, again); err != nil {
			return err
		}
		if err := s.SeeRecords(newer, again); err != nil {
			return err
		}
		if err := seeOlder(ctx, s, ""); err != nil {
			return err
		}
		for _, pod := range []runtimes.Pod{newer, again} {
			if err := s.Remove(ctx, pod); err != nil {
				return err
			}
		}
		if err := s.SeeNode(); err != nil {
			return err
		}
		return s.SeeNoRecord()
	},
}

// seeOlder looks whether guardctl doctor names that pod as older than the guard, and
// no other; none for "".
func seeOlder(ctx context.Context, s *rig.Rig, pod string) error {
	if !s.Guarded {
		return nil
	}
	answer, err := s.Guardctl(ctx, "doctor")
	if err != nil {
		return err
	}
	const words = "attached before cni-guard was in the list"
	named := pod == "" && !answer.Says(words) || pod != "" && answer.Says("1 of the pods", words+": "+pod)
	s.See(claim.OlderNamed, named && !strings.Contains(answer.Text, "default/newer"), answer.String())
	return nil
}
