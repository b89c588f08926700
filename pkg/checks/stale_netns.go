// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// StaleNetns reports a CNI_NETNS that does not lead to a network namespace. It does not
// run on DEL, where a sandbox that is gone is a success.
var StaleNetns = &Check{
	ID:        "CG101",
	Name:      "stale-netns",
	Summary:   "A pod is set up in the wrong namespace, or fails with a misleading error, because its namespace path is stale: it was unmounted, or is another file.",
	Detection: "`CNI_NETNS` does not exist, is not a file of nsfs, or is a namespace of another type. To check: `stat -f PATH` shows nsfs for a namespace; a path that was unmounted is an empty file on tmpfs.",
	Remedy:    "Delete the pod, so that the runtime makes a new sandbox. If every pod fails with a path below `/run/netns`, find what unmounts it, such as a container that mounts `/run/netns` without HostToContainer propagation. If every pod fails with a path below `/proc`, find why the sandbox process ends.",
	When:      guard.Add | guard.Verify,
	Default:   guard.Enforce,
	Code:      codeInvalidNetns,
	Probe:     probeStaleNetns,
}

// codeInvalidNetns is ErrInvalidNetNS of the CNI library's pkg/types. It is a number here
// because checks do not import CNI.
const codeInvalidNetns = 8

func probeStaleNetns(_ context.Context, t *Target) ([]guard.Finding, error) {
	switch t.Netns.Kind {
	case netstate.Unknown:
		return nil, t.Netns.Err
	case netstate.Missing:
		return []guard.Finding{{Object: object(t), Problem: "does not exist", Remedy: staleRemedy(t.Netns.Path)}}, nil
	case netstate.NotNetns:
		return []guard.Finding{{Object: object(t), Problem: t.Netns.What, Remedy: staleRemedy(t.Netns.Path)}}, nil
	}
	return nil, nil
}

// object returns the namespace path as the caller passed it.
func object(t *Target) string {
	if t.Netns.Path == "" {
		return "CNI_NETNS"
	}
	return t.Netns.Path
}

// netnsRemedy returns what to do about a namespace path that leads to another namespace
// than the pod's. A path below /proc does so after its process ID was reused, a pinned
// path after something unmounted it or mounted over it.
func netnsRemedy(path string) string {
	if strings.HasPrefix(path, "/proc/") {
		return "The process ID was reused: find out which runtime passes /proc/PID/ns/net paths (cri-dockerd does, and old CRI-O), and raise kernel.pid_max (sysctl -w kernel.pid_max=4194304)."
	}
	return "Find out what mounted another namespace there, or unmounted the pod's: findmnt -t nsfs lists the pinned namespaces, and a container that mounts the directory without HostToContainer propagation is a usual cause."
}

// staleRemedy returns what to do about a path that no longer leads to a namespace.
func staleRemedy(path string) string {
	const newSandbox = "Delete the pod, so that the runtime makes a new sandbox. If every pod fails, "
	if strings.HasPrefix(path, "/proc/") {
		return newSandbox + "look in the journal of the runtime for why the sandbox process ends."
	}
	return newSandbox + "find what unmounts the pinned namespaces, such as a container that mounts /run/netns without HostToContainer propagation."
}
