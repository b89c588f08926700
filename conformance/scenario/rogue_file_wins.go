// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/stage"
)

var rogueFileWins = Scenario{
	Name:     "rogue-file-wins",
	Incident: "Beside 10-a.conflist somebody installs 05-b.conflist, of another network; the runtime reads it at once (kubespray, containerd/cri#889).",
	Harms:    []claim.Claim{claim.RightNetwork},
	Limits:   []claim.Claim{claim.RightNetwork},
	Limit:    uncalled,
	Holds:    []claim.Claim{claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    unselected(),
	Play: func(ctx context.Context, s *stage.Stage) error {
		return playWins(ctx, s, "05-b.conflist")
	},
}

var hiddenFileFirst = Scenario{
	Name:     "hidden-file-first",
	Incident: "An editor leaves .05-b.conflist behind, which ls does not show; hidden files sort before all others.",
	Harms:    rogueFileWins.Harms,
	Limits:   rogueFileWins.Limits,
	Limit:    "as rogue-file-wins, and hidden files sort before 00-cni-guard.conflist as well; guardctl conf shows what ls does not",
	Holds:    rogueFileWins.Holds,
	NotOn:    unselected(),
	Play: func(ctx context.Context, s *stage.Stage) error {
		return playWins(ctx, s, ".05-b.conflist")
	},
}

func playWins(ctx context.Context, s *stage.Stage, rogue string) error {
	before, err := seeBefore(ctx, s)
	if err != nil {
		return err
	}
	if err := s.Install(rogue, s.LeftoverList()); err != nil {
		return err
	}
	if err := s.AwaitLeftover(ctx); err != nil {
		return err
	}
	next, err := seeNext(ctx, s, "next")
	if err != nil || !s.Guarded {
		return err
	}
	return mend(ctx, s, rogue, before, next)
}
