// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var rogueFileRestart = Scenario{
	Name:     "rogue-file-restart",
	Incident: "05-b.conflist wins as in rogue-file-wins, and CRI-O is restarted: the running pods are of another network than its default, and it collects their attachments as garbage.",
	Harms:    []claim.Claim{claim.KeptNetwork},
	Limits:   []claim.Claim{claim.KeptNetwork},
	Limit:    "CRI-O treats only the attachments of its default network as valid (ocicni 0.5.0), and the DEL that it calls for the others looks like that of any removed pod, with the path of the pod's own namespace; quarantine the rogue before CRI-O is restarted",
	Holds:    []claim.Claim{claim.NodeLo, claim.NodeEth0, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    onlyCRIO("it never asks its networks to collect garbage"),
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
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
		if err := restart(ctx, s); err != nil {
			return err
		}
		// CRI-O is ready when it has collected.
		if err := awaitReady(ctx, s); err != nil {
			return err
		}
		if err := s.SeePod(claim.KeptNetwork, before); err != nil {
			return err
		}
		if err := s.SeeNode(); err != nil || !s.Guarded {
			return err
		}
		return putAway(ctx, s, rogue, before)
	},
}
