// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"os"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var wrongFileRemoved = Scenario{
	Name:     "wrong-file-removed",
	Incident: "05-b.conf, a single plugin of another network, decides; an engineer who should remove it removes 10-a.conflist instead (incident 004).",
	Harms:    []claim.Claim{claim.RightNetwork, claim.NextPod},
	Limits:   []claim.Claim{claim.RightNetwork},
	Limit:    "as rogue-file-wins",
	Holds:    []claim.Claim{claim.Stopped, claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    unselected(),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conf"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Install(rogue, s.LeftoverConf()); err != nil {
			return err
		}
		if err := s.AwaitLeftover(ctx); err != nil {
			return err
		}
		next, err := seeNext(ctx, s, "next")
		if err != nil {
			return err
		}
		if !s.Guarded {
			return removeBoth(ctx, s, rogue)
		}
		if err := seeStopped(ctx, s, rogue); err != nil {
			return err
		}
		return mend(ctx, s, rogue, before, next)
	},
}

// removeBoth is what two engineers did to the same node.
func removeBoth(ctx context.Context, s *rig.Rig, rogue string) error {
	for _, file := range []string{s.OwnFile(), s.Of(rogue)} {
		if err := s.TakeAway(file); err != nil {
			return err
		}
	}
	if err := s.AwaitNone(ctx); err != nil {
		return err
	}
	_, err := s.Runtime.Run(ctx, "none")
	s.See(claim.NextPod, err == nil, fmt.Sprint(err))
	return nil
}

// seeStopped tries to put the right file away.
func seeStopped(ctx context.Context, s *rig.Rig, rogue string) error {
	answer, err := s.Guardctl(ctx, "conf", "quarantine", s.OwnFile(), "--runtime", s.Product())
	if err != nil {
		return err
	}
	_, gone := os.Stat(s.OwnFile())
	stopped := answer.Code == 2 && gone == nil
	named := answer.Says(s.OwnFile()+" must stay", "guardctl conf quarantine "+s.Of(rogue), "puts the rogue away")
	s.See(claim.Stopped, stopped && named, answer.String())
	return nil
}
