// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var rogueFileOwn = Scenario{
	Name:     "rogue-file-own",
	Incident: "As rogue-file-wins, but guardctl install --placement own made 00-cni-guard.conflist, which sorts first; half a file, 06-c.conflist, is there as well.",
	Harms:    []claim.Claim{claim.RightNetwork},
	Holds: []claim.Claim{
		claim.Installed, claim.Recorded, claim.RightNetwork, claim.Warned, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord,
	},
	NotOn: unselected(),
	Setup: rig.Setup{Late: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue, broken = "05-b.conflist", "06-c.conflist"
		if err := installOwn(ctx, s); err != nil {
			return err
		}
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Write(broken, half(s.LeftoverList())); err != nil {
			return err
		}
		if err := s.Install(rogue, s.LeftoverList()); err != nil {
			return err
		}
		// What is not selected need not have been read yet; now it is.
		if err := restart(ctx, s); err != nil {
			return err
		}
		next, err := seeNext(ctx, s, "next")
		if err != nil || !s.Guarded {
			return err
		}
		if err := s.SeeRecords(before, next); err != nil {
			return err
		}
		for _, name := range []string{rogue, broken} {
			if err := s.SeeEvent(claim.Warned, s.Of(name)); err != nil {
				return err
			}
		}
		return putAway(ctx, s, rogue, before, next)
	},
}

// installOwn has the guard in a file of its own, and waits until that counts.
func installOwn(ctx context.Context, s *rig.Rig) error {
	if !s.Guarded {
		return nil
	}
	answer, err := s.Operate(ctx, s.Programs(), "install", "--placement", "own")
	if err != nil {
		return err
	}
	s.See(claim.Installed, answer.Code == 0, answer.String())
	return s.AwaitOwn(ctx)
}
