// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// pins is why process IDs do not do not matter to most.
const pins = "it pins the sandbox's namespace, so that no process ID is involved"

var sandboxKilled = Scenario{
	Name:     "sandbox-killed",
	Incident: "A sandbox's process is killed, its process ID is reused by a process of the node, then the pod is removed (cri-o#2849).",
	Harms:    []claim.Claim{claim.NodeLo, claim.PodGone, claim.AddressFree},
	Spared:   map[string]string{"containerd": pins, "containerd2": pins, "podman": pins},
	NotOn:    map[string]string{"crio": "CRI-O runs no process for a sandbox (drop_infra_ctr), so that none can be killed"},
	Holds:    []claim.Claim{claim.NodeLo, claim.NodeEth0, claim.PodGone, claim.AddressFree, claim.NoRecord, claim.NodeAsBefore},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pod, err := s.Runtime.Run(ctx, "killed")
		if err != nil {
			return err
		}
		if err := s.Leased(pod); err != nil {
			return err
		}
		if err := s.Runtime.KillSandbox(pod, s.NodeNamespace()); err != nil {
			return err
		}
		return removeAll(ctx, s, pod)
	},
}
