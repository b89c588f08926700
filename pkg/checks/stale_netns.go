// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// StaleNetns sees a path that is no network namespace. It does not run on DEL:
// there a sandbox that is gone is what the caller wants.
var StaleNetns = &Check{
	Name:      "stale-netns",
	Summary:   "A plugin is given the path of a namespace whose pin was unmounted, or of some other file, and configures the wrong namespace or fails with a riddle.",
	Detection: "CNI_NETNS is opened once. Nothing is there, or what is there is not on nsfs, or it is a namespace of another type (stat -f PATH shows nsfs for a pinned namespace; an unmounted pin is an empty file on tmpfs).",
	Remedy:    "Let the runtime make a new sandbox (delete the pod). If every pod fails with a pinned path, look for what unmounts it, such as a container that mounts /run/netns without HostToContainer propagation; with a path below /proc, for what ends the sandbox's process.",
	When:      guard.Add | guard.Verify,
	Default:   guard.Enforce,
	Code:      codeInvalidNetns,
	Probe:     probeStaleNetns,
}

// codeInvalidNetns is ErrInvalidNetNS of the CNI library's pkg/types: the
// namespace given is not one to act on. A number, as checks know no CNI.
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

// object names the namespace as the caller did.
func object(t *Target) string {
	if t.Netns.Path == "" {
		return "CNI_NETNS"
	}
	return t.Netns.Path
}
