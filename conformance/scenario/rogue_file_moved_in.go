// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var rogueFileMovedIn = Scenario{
	Name:     "rogue-file-moved-in",
	Incident: "05-b.conflist is moved in from another folder, which CRI-O notices at once.",
	Harms:    []claim.Claim{claim.RightNetwork},
	Limits:   []claim.Claim{claim.RightNetwork},
	Limit:    rogueFileWins.Limit,
	Holds:    []claim.Claim{claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    onlyCRIO("containerd does not look at a file that is moved in: rogue-file-unseen"),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Slip(rogue, s.LeftoverList()); err != nil {
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
	},
}

// onlyCRIO returns the reasons why no other runtime is played.
func onlyCRIO(containerd string) map[string]string {
	reasons := unselected()
	reasons["containerd"], reasons["containerd2"] = containerd, containerd
	return reasons
}
