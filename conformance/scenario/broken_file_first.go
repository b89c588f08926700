// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var brokenFileFirst = Scenario{
	Name:     "broken-file-first",
	Incident: "The disk fills up while 05-b.conflist is copied, and half a file stays; containerd cannot parse it and loads no network.",
	Harms:    []claim.Claim{claim.NextPod, claim.PodGone},
	Limits:   []claim.Claim{claim.NextPod, claim.PodGone},
	Limit:    "containerd has no network then and calls no plugin until guardctl conf quarantine; pods that are to be removed go at kubelet's next attempt",
	Holds:    []claim.Claim{claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.AddressFree, claim.NoRecord},
	NotOn:    unselectedNor("CRI-O skips a file that it cannot load, and takes the next: the pods' own"),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Write(rogue, half(s.LeftoverList())); err != nil {
			return err
		}
		if err := s.AwaitNone(ctx); err != nil {
			return err
		}
		_, err = s.Runtime.Run(ctx, "next")
		s.See(claim.NextPod, err == nil, fmt.Sprint(err))
		err = s.Runtime.Remove(ctx, before)
		s.See(claim.PodGone, err == nil, fmt.Sprint(err))
		if !s.Guarded {
			return nil
		}
		if err := mend(ctx, s, rogue, before); err != nil {
			return err
		}
		return s.SeeAddress(before)
	},
}

// half is what a full disk leaves of a file.
func half(text []byte) []byte { return text[:len(text)/2] }

var emptyFileFirst = Scenario{
	Name:     "empty-file-first",
	Incident: "An empty 05-b.conflist is created, which containerd does not notice; at its next start it loads no network.",
	Harms:    []claim.Claim{claim.NextPod},
	Holds:    []claim.Claim{claim.Refused, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.RightNetwork, claim.NoRecord},
	NotOn:    unselectedNor("CRI-O skips a file that it cannot load, and takes the next: the pods' own"),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
		before, err := seeBefore(ctx, s)
		if err != nil {
			return err
		}
		if err := s.Write(rogue, nil); err != nil {
			return err
		}
		if s.Guarded {
			seeRefused(ctx, s, rogue, "is a rogue: containerd refuses it", "then loads nothing")
			return preventStrike(ctx, s, rogue, before)
		}
		if err := restart(ctx, s); err != nil {
			return err
		}
		_, err = s.Runtime.Run(ctx, "next")
		s.See(claim.NextPod, err == nil, fmt.Sprint(err))
		return nil
	},
}
