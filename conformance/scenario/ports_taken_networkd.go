// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// What networkd does to the port of a new pod depends on how fast it is: only the pod of
// before is judged.
var portsTakenByNetworkd = Scenario{
	Name: "ports-taken-networkd",
	Incident: "The real systemd-networkd starts, as after an upgrade, and has a file with Name=veth*: it takes the port of a pod that runs off its bridge. " +
		"Then the next pod starts.",
	Harms: []claim.Claim{claim.StillBeyond},
	Holds: []claim.Claim{claim.NextPod, claim.PortBack, claim.StillBeyond, claim.RepairNamed, claim.PodGone, claim.AddressFree},
	NotOn: map[string]string{"crio": "CRI-O calls CHECK after ADD, and systemd-networkd may take the port of the new pod between the two: chance would decide"},
	Setup: rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		running, err := s.Runtime.Run(ctx, "running")
		if err != nil {
			return err
		}
		if err := s.StartNetworkd(ctx, running); err != nil {
			return err
		}
		next, err := s.Runtime.Run(ctx, "next")
		s.See(claim.NextPod, err == nil, fmt.Sprint(err))
		if err != nil {
			return s.SeeStillBeyond(ctx, running)
		}
		if err := s.SeePort(running); err != nil {
			return err
		}
		if err := s.SeeStillBeyond(ctx, running); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.RepairNamed, "bridge-port"); err != nil {
			return err
		}
		if err := s.Remove(ctx, next); err != nil {
			return err
		}
		return s.Remove(ctx, running)
	},
}
