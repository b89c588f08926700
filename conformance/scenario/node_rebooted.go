// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// emptied is why a boot does not lead containerd astray.
const emptied = "after a boot the pin is gone from /run, and it removes the pod with an empty path"

// vanished is why a boot does not lead CRI-O astray, as it did in incident 003.
const vanished = "CRI-O pins sandboxes since 1.19 (cri-o#3929): after a boot it removes the earlier pods by the path of a pin that is gone from /run"

var nodeRebooted = Scenario{
	Name:     "node-rebooted",
	Incident: "The node loses power; after the boot the runtime removes the earlier pods, whose process IDs belong to other processes.",
	Harms:    []claim.Claim{claim.NodeLo, claim.PodGone, claim.AddressFree},
	Spared:   map[string]string{"containerd": emptied, "containerd2": emptied, "crio": vanished},
	NotOn:    map[string]string{"podman": "after a boot podman calls no plugin for earlier containers, so that the guard cannot release their addresses"},
	Holds:    []claim.Claim{claim.NodeLo, claim.NodeEth0, claim.PodGone, claim.AddressFree, claim.PodReady, claim.NoRecord, claim.NodeAsBefore},
	Play: func(ctx context.Context, s *rig.Rig) error {
		pods, err := s.RunAll(ctx, "web", "db")
		if err != nil {
			return err
		}
		for _, pod := range pods {
			if err := s.Leased(pod); err != nil {
				return err
			}
		}
		if err := s.Reboot(ctx); err != nil {
			return err
		}
		for _, pod := range pods {
			if err := s.Remove(ctx, pod); err != nil {
				return err
			}
		}
		next, err := s.Runtime.Run(ctx, "next")
		if err != nil {
			return err
		}
		if err := s.SeePod(claim.PodReady, next); err != nil {
			return err
		}
		return removeAll(ctx, s, next)
	},
}
