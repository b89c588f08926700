// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

var statusReports = Scenario{
	Name:     "status-reports",
	Incident: "The node's lo goes down and stays down, which kubelet must learn; then lo is brought up again.",
	Harms:    []claim.Claim{claim.NotReady},
	Holds:    []claim.Claim{claim.NotReady, claim.NodeReady},
	NotOn: map[string]string{
		"containerd": "containerd 1.6 never calls STATUS, which came with CNI 1.1",
		"podman":     "podman never calls STATUS",
		"crio":       "by default CRI-O calls STATUS until the first success, and not again; status-grace-period plays the other setting",
	},
	Setup: rig.Setup{
		CNIVersion: "1.1.0",
		// By default the guard would mend lo, and would report only what lasts.
		Guard: map[string]any{
			"statusHoldDown": "0s",
			"checks":         map[string]any{"host-loopback": map[string]any{"repair": false}},
		},
	},
	Play: func(ctx context.Context, s *rig.Rig) error {
		if err := seeNodeReady(ctx, s); err != nil {
			return err
		}
		if err := node.SetLoDown(s.NodeNamespace()); err != nil {
			return err
		}
		ready, message, err := s.Runtime.Network(ctx)
		if err != nil {
			return err
		}
		s.See(claim.NotReady, !ready && strings.Contains(message, "host-loopback"), fmt.Sprintf("ready: %t, message: %q", ready, message))
		if err := node.SetLoUp(s.NodeNamespace()); err != nil {
			return err
		}
		return seeNodeReady(ctx, s)
	},
}

func seeNodeReady(ctx context.Context, s *rig.Rig) error {
	ready, message, err := s.Runtime.Network(ctx)
	s.See(claim.NodeReady, ready, message)
	return err
}
