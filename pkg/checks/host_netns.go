// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// HostNetns reports a CNI_NETNS that leads to the node's own namespace. Plugins that
// act on it take the node's lo down and delete its eth0
// (cri-o/cri-o#2849, kubernetes/kubernetes#100648, containerd/containerd#5630).
var HostNetns = &Check{
	ID:        "CG102",
	Name:      "host-netns",
	Summary:   "Plugins act on the node's own network namespace instead of the pod's, and take its lo down or delete its eth0, after a reboot or when process IDs are reused.",
	Detection: "The namespace behind `CNI_NETNS` has the device and inode of the plugin's own namespace, or of that of process 1. To check: `stat -L -c %d:%i PATH /proc/self/ns/net` prints the same value twice.",
	Remedy:    "Delete the pod if it does not go away. After a refused ADD, run `ip link` to find what the primary plugin left on the node. Then find out why the path leads to the node: the process ID of a path below `/proc` was reused, or something mounted over a pinned path.",
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
			Impact: "the plugins would change interfaces of the node instead of the pod's",
			Remedy: "Delete the pod if it does not go away. " + leftovers + netnsRemedy(t.Netns.Path),
		}}, nil
	}
	return nil, nil
}
