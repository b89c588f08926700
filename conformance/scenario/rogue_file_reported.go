// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var rogueFileReported = Scenario{
	Name:     "rogue-file-reported",
	Incident: "05-b.conflist is moved in as above, and no pod starts for hours: kubelet must learn of it before the runtime's next start.",
	Harms:    []claim.Claim{claim.FileReported},
	Holds:    []claim.Claim{claim.FileReported, claim.NodeReady, claim.PutAway, claim.MendedPod, claim.MendedGone, claim.NoRecord},
	NotOn: map[string]string{
		"libcni":     unselected()["libcni"],
		"podman":     unselected()["podman"],
		"crio":       rogueFileUnseen.NotOn["crio"],
		"containerd": statusReports.NotOn["containerd"],
	},
	Setup: rig.Setup{CNIVersion: "1.1.0", Guard: map[string]any{"statusHoldDown": "0s"}},
	Play: func(ctx context.Context, s *rig.Rig) error {
		const rogue = "05-b.conflist"
		if err := seeNodeReady(ctx, s); err != nil {
			return err
		}
		if err := s.Slip(rogue, s.LeftoverList()); err != nil {
			return err
		}
		ready, message, err := s.Runtime.Network(ctx)
		if err != nil {
			return err
		}
		named := saysAll(message, s, rogue, "is the rogue: the next pods get it", `has network "leftover" of bridge`)
		s.See(claim.FileReported, !ready && named, fmt.Sprintf("ready: %t, message: %q", ready, message))
		if !s.Guarded {
			return nil
		}
		if err := putAway(ctx, s, rogue); err != nil {
			return err
		}
		return seeNodeReady(ctx, s)
	},
}
