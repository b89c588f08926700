// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/window"
)

// Ten pods at once cost more than most scenarios.
const windowMeasures = "scripts/window.sh measures it there; one runtime is enough to see that it works"

var rogueFileKept = Scenario{
	Name:     "rogue-file-kept",
	Incident: "As rogue-file-wins, with cni-guard-agent --keep enforce on the node; 05-b.conflist is installed twice while ten pods start.",
	Harms:    []claim.Claim{claim.RightNetwork},
	Holds:    []claim.Claim{claim.Installed, claim.AgentKept, claim.PodRuns, claim.RightNetwork, claim.MendedGone},
	NotOn: map[string]string{
		"libcni": unselected()["libcni"], "podman": unselected()["podman"],
		"containerd": windowMeasures, "crio": windowMeasures,
	},
	Setup: rig.Setup{Late: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if !s.Guarded {
			_, err := sufferRogue(ctx, s, window.Rogue)
			return err
		}
		answer, err := window.Prepare(ctx, s)
		s.See(claim.Installed, answer.Code == 0, answer.String())
		if err != nil {
			return err
		}
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		r, err := window.Play(ctx, s, window.Ways()[0], window.Load{Pods: 10, AtOnce: 5, Changes: 2})
		s.See(claim.AgentKept, err == nil, fmt.Sprint(err))
		if err != nil {
			return err
		}
		s.See(claim.PodRuns, r.Failed == 0, fmt.Sprintf("%d of %d: %s", r.Failed, r.Failed+r.Pods, strings.Join(r.Errors, "; ")))
		// A pod may get the file that the agent is about to put away. None does once the
		// runtime has seen that it is gone.
		if err := s.AwaitOwn(ctx); err != nil {
			return err
		}
		if _, err := seeNext(ctx, s, "next"); err != nil {
			return err
		}
		err = s.Runtime.Remove(ctx, before)
		s.See(claim.MendedGone, err == nil, fmt.Sprint(err))
		return nil
	},
}
