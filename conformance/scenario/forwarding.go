// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var newInterfacesBlocked = Scenario{
	Name:     "new-interfaces-blocked",
	Incident: "Something sets conf/default/forwarding to 0 while ip_forward is 1, as a restart of systemd-sysctl does. The next pod starts.",
	Harms:    []claim.Claim{claim.Beyond},
	Holds:    []claim.Claim{claim.PodReady, claim.Beyond, claim.RepairNamed, claim.PodGone, claim.AddressFree},
	Play: func(ctx context.Context, s *rig.Rig) error {
		for _, set := range [][2]string{{"net/ipv4/ip_forward", "1"}, {"net/ipv4/conf/default/forwarding", "0"}} {
			if err := s.SetSysctl(set[0], set[1]); err != nil {
				return err
			}
		}
		pod, err := s.Runtime.Run(ctx, "web")
		if err != nil {
			return err
		}
		if err := s.SeePod(claim.PodReady, pod); err != nil {
			return err
		}
		if err := s.SeeBeyond(ctx, pod); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.RepairNamed, "ip-forwarding"); err != nil {
			return err
		}
		return s.Remove(ctx, pod)
	},
}

var serviceOnBridge = Scenario{
	Name:     "service-on-bridge",
	Incident: "bridge-nf-call-iptables is 0, and a pod connects to a Service that chooses a pod on the same bridge.",
	Harms:    []claim.Claim{claim.ServiceAnswers},
	Holds:    []claim.Claim{claim.PodsTalk, claim.ServiceAnswers, claim.RepairNamed, claim.PodGone, claim.AddressFree},
	Setup:    rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := s.AddServiceRules(ctx); err != nil {
			return err
		}
		if err := s.SetSysctl("net/bridge/bridge-nf-call-iptables", "0"); err != nil {
			return err
		}
		client, err := s.Runtime.Run(ctx, "client")
		if err != nil {
			return err
		}
		backend, err := s.Runtime.Run(ctx, "backend")
		if err != nil {
			return err
		}
		s.SeeTalk(ctx, client, backend)
		if err := s.SeeService(ctx, client, backend); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.RepairNamed, "bridge-netfilter"); err != nil {
			return err
		}
		if err := s.Remove(ctx, client); err != nil {
			return err
		}
		return s.Remove(ctx, backend)
	},
}
