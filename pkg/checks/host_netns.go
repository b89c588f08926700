// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// HostNetns sees the node's own namespace where a pod's is expected. Plugins
// that act on it take the node's lo down and delete its eth0
// (cri-o/cri-o#2849, kubernetes/kubernetes#100648, containerd/containerd#5630).
var HostNetns = &Check{
	Name:      "host-netns",
	Summary:   "After a reboot, or when process IDs wrap, a plugin is given the node's own network namespace as if it were a pod's, takes the node's lo down or deletes its eth0.",
	Detection: "The namespace behind CNI_NETNS has the device and inode of the plugin's own, or of pid 1's (stat -L -c %d:%i PATH /proc/self/ns/net shows the same twice).",
	Remedy:    "Delete the pod if it stays. After a refused ADD, look with ip link for what the primary plugin left on the node. Then find out why the path leads there: a path below /proc when its process ID was reused, a pinned one when something mounted over it.",
	When:      guard.Add | guard.Del | guard.Verify,
	Default:   guard.Enforce,
	Code:      codeInvalidNetns,
	Needs:     []*Check{StaleNetns},
	Probe:     probeHostNetns,
}

func probeHostNetns(_ context.Context, t *Target) ([]guard.Finding, error) {
	if t.Override {
		return nil, nil
	}
	switch t.Netns.Kind {
	case netstate.Unknown:
		return nil, t.Netns.Err
	case netstate.Node:
		leftovers := ""
		if t.Adding {
			leftovers = "Look with ip link for what the primary plugin left on the node. "
		}
		return []guard.Finding{{
			Object: object(t), Problem: "is the network namespace of the node itself",
			Remedy: "Delete the pod if it stays. " + leftovers + netnsRemedy(t.Netns.Path),
		}}, nil
	}
	return nil, nil
}
