// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// portsTaken has a plugin of the chain in the place of a program that moves ports once.
// systemd-networkd with Bridge= moves them again whenever they are moved back, which the
// guard leaves to the operator: conformance/managers plays that.
var portsTaken = Scenario{
	Name: "ports-taken",
	Incident: "A program of the node has a bridge of its own, br0: the port of a pod that runs is moved from its bridge to br0, " +
		"and so is that of the next pod, between the primary and the end of its ADD.",
	Harms: []claim.Claim{claim.Beyond, claim.StillBeyond},
	// CRI-O calls CHECK after ADD, whose failure it takes for a pod that did not start.
	HarmsOn: map[string][]claim.Claim{"crio": {claim.NextPod, claim.StillBeyond}},
	Holds:   []claim.Claim{claim.NextPod, claim.PortBack, claim.Beyond, claim.StillBeyond, claim.RepairNamed, claim.PodGone, claim.AddressFree},
	Setup:   rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := s.InstallLinkManager(ctx); err != nil {
			return err
		}
		running, err := s.Runtime.Run(ctx, "running")
		if err != nil {
			return err
		}
		if err := s.ManageLinks(running); err != nil {
			return err
		}
		if err := s.LetPortsAge(); err != nil {
			return err
		}
		next, err := s.Runtime.Run(ctx, "next")
		s.See(claim.NextPod, err == nil, fmt.Sprint(err))
		if err != nil {
			return s.SeeStillBeyond(ctx, running)
		}
		if err := s.SeePort(next); err != nil {
			return err
		}
		if err := s.SeeBeyond(ctx, next); err != nil {
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
