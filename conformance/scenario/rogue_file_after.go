// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var rogueFileAfter = Scenario{
	Name:     "rogue-file-after",
	Incident: "10-b.conflist is installed, which sorts after 10-a.conflist and has no effect until an operator removes the wrong file of the two.",
	Harms:    []claim.Claim{claim.RightNetwork},
	Holds:    []claim.Claim{claim.Warned, claim.Stopped, claim.RightNetwork, claim.NamedReady, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    unselected(),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "10-b.conflist"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Install(rogue, s.LeftoverList()); err != nil {
			return err
		}
		next, err := seeNext(ctx, s, "next")
		if err != nil {
			return err
		}
		if !s.Guarded {
			return tidyUp(ctx, s)
		}
		if err := s.SeeEvent(claim.Warned, s.Of(rogue)); err != nil {
			return err
		}
		if err := seeStopped(ctx, s, rogue); err != nil {
			return err
		}
		return mendReady(ctx, s, rogue, before, next)
	},
}

// tidyUp takes the wrong file away.
func tidyUp(ctx context.Context, s *rig.Rig) error {
	if err := s.TakeAway(s.OwnFile()); err != nil {
		return err
	}
	if err := s.AwaitLeftover(ctx); err != nil {
		return err
	}
	_, err := seeNext(ctx, s, "later")
	return err
}

var rogueFileAny = Scenario{
	Name:     "rogue-file-any",
	Incident: `10-b.conflist is installed as above, on a node where no second file is allowed ("scope": "any").`,
	Harmless: "as long as 10-a.conflist is there; rogue-file-after shows what follows",
	Holds:    []claim.Claim{claim.Refused, claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    unselected(),
	Setup: rig.Setup{Guard: map[string]any{
		"checks": map[string]any{"conflist": map[string]any{"scope": "any"}},
	}},
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "10-b.conflist"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Install(rogue, s.LeftoverList()); err != nil {
			return err
		}
		if !s.Guarded {
			_, err := seeNext(ctx, s, "next")
			return err
		}
		seeRefused(ctx, s, rogue, "is not in use, and could take the place of", `has network "leftover" of bridge`)
		return mend(ctx, s, rogue, before)
	},
}
