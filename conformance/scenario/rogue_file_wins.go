// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var rogueFileWins = Scenario{
	Name:     "rogue-file-wins",
	Incident: "05-b.conflist, of another network, is installed beside 10-a.conflist; the runtime reads it at once (kubespray, containerd/cri#889). An earlier pod is removed, and another starts.",
	Harms:    []claim.Claim{claim.RightNetwork, claim.AddressFree},
	Limits:   []claim.Claim{claim.RightNetwork, claim.AddressFree, claim.NoRecord},
	Limit:    "the guard is called only by files that name it, so that a file that wins at once does so until guardctl conf quarantine; what earlier pods that are removed meanwhile had is released by guardctl release, and the guard keeps their records until the next boot. rogue-file-own shows the placement that prevents it, and the agent with --keep enforce quarantines the file",
	HarmsOn:  map[string][]claim.Claim{"crio": {claim.RightNetwork}}, // it deletes as made
	LimitsOn: map[string][]claim.Claim{"crio": {claim.RightNetwork}},
	Holds:    []claim.Claim{claim.Named, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.MendedFree},
	NotOn:    unselected(),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
		pods, err := s.RunAll(ctx, "before", "gone")
		if err != nil {
			return err
		}
		before, gone := pods[0], pods[1]
		if err := s.Leased(gone); err != nil {
			return err
		}
		next, err := sufferRogue(ctx, s, rogue)
		if err != nil {
			return err
		}
		if err := s.Remove(ctx, gone); err != nil || !s.Guarded {
			return err
		}
		if err := mend(ctx, s, rogue, before, next); err != nil {
			return err
		}
		return seeReleased(ctx, s, gone)
	},
}

// sufferRogue installs a file that wins, and runs the next pod.
func sufferRogue(ctx context.Context, s *rig.Rig, rogue string) (runtimes.Pod, error) {
	if err := s.Install(rogue, s.LeftoverList()); err != nil {
		return runtimes.Pod{}, err
	}
	if err := s.AwaitLeftover(ctx); err != nil {
		return runtimes.Pod{}, err
	}
	return seeNext(ctx, s, "next")
}

// seeReleased returns back what a pod held that was removed from the wrong network.
// Where pods are deleted with the conflist of their ADD there is nothing to release.
func seeReleased(ctx context.Context, s *rig.Rig, pod runtimes.Pod) error {
	if s.Runtime.DeletesAsMade() {
		s.See(claim.MendedFree, s.Leased(pod) != nil, "the address is still leased")
		return nil
	}
	answer, err := s.Release(ctx, pod)
	if err != nil {
		return err
	}
	held := s.Leased(pod) == nil
	s.See(claim.MendedFree, answer.Code == 0 && !held, answer.String())
	return nil
}
