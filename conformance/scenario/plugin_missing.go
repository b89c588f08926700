// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var pluginMissing = Scenario{
	Name:     "plugin-missing",
	Incident: "An upgrade takes the plugin of 10-a.conflist away for a while; CRI-O skips the file and takes 10-b.conflist, which was left behind (cri-o#4276).",
	Harms:    []claim.Claim{claim.RightNetwork},
	Limits:   []claim.Claim{claim.RightNetwork},
	Limit:    "CRI-O calls no plugin of a file that it skips, and so not the guard; once the plugin is back, it takes the file again",
	Holds:    []claim.Claim{claim.Missing, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn:    onlyCRIO("containerd looks for plugins when it calls them: pods fail to start meanwhile, and none gets another network"),
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := s.Install("10-b.conflist", s.LeftoverList()); err != nil {
			return err
		}
		if err := s.DiscardPlugin("ptp"); err != nil {
			return err
		}
		if err := s.AwaitLeftover(ctx); err != nil {
			return err
		}
		next, err := seeNext(ctx, s, "next")
		if err != nil || !s.Guarded {
			return err
		}
		shown, err := s.Guardctl(ctx, "conf")
		if err != nil {
			return err
		}
		s.See(claim.Missing, shown.Code == 1 && shown.Says(s.OwnFile(), "ptp"), shown.String())
		if err := s.ReturnPlugin("ptp"); err != nil {
			return err
		}
		return seeMended(ctx, s, next)
	},
}
