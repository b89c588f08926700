// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// HostLoopback looks after the node's lo. The runtime's own loopback network is
// no member of the chain and runs before it, so a chained plugin can only put
// right what was done there; our loopback plugin keeps it from happening.
var HostLoopback = &Check{
	Name:      "host-loopback",
	Summary:   "The node's lo is down: the node no longer reaches its own addresses, so kubelet's probes, the local API server and DNS fail, while everything remote still works.",
	Detection: "lo of the node lacks the flag UP, or 127.0.0.1 (ip address show lo). Its state is UNKNOWN also when all is well; other addresses on it are left alone.",
	Remedy:    "Bring it back with: ip link set lo up. Then find out what took it down; a DEL by the reference loopback plugin is the usual cause, and the loopback plugin of cni-guard prevents it.",
	When:      guard.Add | guard.Del | guard.Status | guard.Node,
	Default:   guard.Enforce,
	Probe:     probeHostLoopback,
	Repair:    repairHostLoopback,
}

func probeHostLoopback(_ context.Context, t *Target) ([]guard.Finding, error) {
	return probeLoopback(t.Node, "node", loopback4())
}

func repairHostLoopback(_ context.Context, t *Target) error {
	return repairLoopback(t.Node, loopback4())
}
