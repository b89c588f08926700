// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var hiddenFileFirst = Scenario{
	Name:     "hidden-file-first",
	Incident: "An editor leaves .05-b.conflist behind, which ls does not show and which sorts even before 00-cni-guard.conflist (--placement own).",
	Harms:    []claim.Claim{claim.RightNetwork},
	Limits:   []claim.Claim{claim.RightNetwork},
	Limit:    "hidden files sort before all others, and no placement prevents what they do; guardctl conf shows what ls does not",
	Holds:    []claim.Claim{claim.Installed, claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    unselected(),
	Setup:    rig.Setup{Late: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = ".05-b.conflist"
		if err := installOwn(ctx, s); err != nil {
			return err
		}
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		next, err := sufferRogue(ctx, s, rogue)
		if err != nil || !s.Guarded {
			return err
		}
		return mend(ctx, s, rogue, before, next)
	},
}
