// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var rogueFileUnseen = Scenario{
	Name:     "rogue-file-unseen",
	Incident: "05-b.conflist is moved in from another folder, which containerd does not notice (containerd#6490); it takes effect at containerd's next start.",
	Harms:    []claim.Claim{claim.RightNetwork},
	Holds:    []claim.Claim{claim.Refused, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.RightNetwork, claim.NoRecord},
	NotOn:    unselectedNor("CRI-O loads a file at once that is moved in: rogue-file-moved-in"),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Slip(rogue, s.LeftoverList()); err != nil {
			return err
		}
		if !s.Guarded {
			return letStrike(ctx, s)
		}
		seeRefused(ctx, s, rogue, "is the rogue: the next pods get it", `has network "leftover" of bridge`)
		return preventStrike(ctx, s, rogue, before)
	},
}

// letStrike shows that the runtime does not notice the file before it is restarted.
func letStrike(ctx context.Context, s *rig.Rig) error {
	if _, err := seeNext(ctx, s, "meanwhile"); err != nil {
		return err
	}
	if err := restart(ctx, s); err != nil {
		return err
	}
	if err := s.AwaitLeftover(ctx); err != nil {
		return err
	}
	_, err := seeNext(ctx, s, "next")
	return err
}

// preventStrike puts the file away before the runtime starts again.
func preventStrike(ctx context.Context, s *rig.Rig, rogue string, pods ...runtimes.Pod) error {
	if err := putAway(ctx, s, rogue, pods...); err != nil {
		return err
	}
	if err := restart(ctx, s); err != nil {
		return err
	}
	if err := s.AwaitOwn(ctx); err != nil {
		return err
	}
	_, err := seeNext(ctx, s, "next")
	return err
}
