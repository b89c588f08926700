// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

var userNamespace = Scenario{
	Name:     "user-namespace",
	Incident: "Two pods have a user namespace, which owns their network namespace and whose root is not the node's; one is removed normally, and the other's path leads to the node by then.",
	Harms:    []claim.Claim{claim.NodeEth0},
	Holds: []claim.Claim{
		claim.PodReady, claim.Recorded, claim.PodGone, claim.AddressFree, claim.Recognised, claim.NodeLo, claim.NodeEth0, claim.NoRecord,
	},
	NotOn: map[string]string{
		"libcni":      "libcni makes no user namespaces",
		"containerd":  "containerd 1.6 has no user namespaces for pods",
		"containerd2": "containerd 2 wants runc 1.2 for it, and Debian has 1.1",
	},
	Setup: rig.Setup{Bridge: true},
	Play: func(ctx context.Context, s *rig.Rig) error {
		var pods []runtimes.Pod
		for _, name := range []string{"whole", "lost"} {
			pod, err := s.Runtime.(runtimes.UserNamespacer).RunInUserNamespace(ctx, name)
			if err != nil {
				return err
			}
			if err := s.SeePod(claim.PodReady, pod); err != nil {
				return err
			}
			pods = append(pods, pod)
		}
		if err := s.SeeRecords(pods...); err != nil {
			return err
		}
		whole, lost := pods[0], pods[1]
		if err := s.Remove(ctx, whole); err != nil {
			return err
		}
		if err := s.Runtime.Lose(lost, s.NodeNamespace()); err != nil {
			return err
		}
		if err := removeLost(ctx, s, lost); err != nil {
			return err
		}
		if err := s.SeeEvent(claim.Recognised, "host-netns"); err != nil {
			return err
		}
		return s.SeeNoRecord()
	},
}
