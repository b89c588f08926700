// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"context"
	"fmt"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rig"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// pinned is why no other runtime calls ADD with the node's namespace.
func pinned() map[string]string {
	const own = "it creates and pins the namespace before it calls ADD, so that no process ID is involved"
	return map[string]string{"containerd": own, "containerd2": own, "crio": own, "podman": own}
}

// uplink is what the node's eth0 is called here: with another name in the way the
// primaries would fail by themselves.
const uplink = "ens3"

// primaries are the plugins that are played. All of them take a prevResult from the
// plugin before them, ipvlan with a named master (without, it looks for that
// in the prevResult). Not every kernel has ipvlan.
func primaries(s *rig.Rig) ([]chain.Plugin, error) {
	ipam := s.HostLocal()
	delete(ipam, "routes") // a second default route would fail, and the ADD with it
	all := []chain.Plugin{chain.PTP(ipam), chain.Bridge(ipam), chain.Macvlan(ipam).With("master", uplink)}
	has, err := node.HasIPVLAN(s.NodeNamespace(), uplink)
	if has {
		all = append(all, chain.IPVLAN(ipam).With("master", uplink))
	}
	return all, err
}

// noLoopback leaves the loopback plugin out, which is called first here, and would
// refuse the ADD: the reference one after it has acted, ours before. containerd's
// library go-cni calls it beside the others, and CRI-O not at all.
var noLoopback = rig.Setup{Settings: runtimes.Settings{InternalLoopback: true}}

var addIntoNode = Scenario{
	Name:     "add-into-node",
	Incident: "A sandbox's process ends before ADD, and its ID belongs to a process of the node by then, so that ptp, bridge, macvlan and, where the kernel has it, ipvlan configure the node's own namespace (--placement bookend).",
	Harms:    []claim.Claim{claim.NodeUntouched, claim.PodRuns},
	Holds:    []claim.Claim{claim.NotAdded, claim.NodeUntouched, claim.AddressFree, claim.Recognised, claim.PodRuns, claim.PodGone},
	NotOn:    pinned(),
	Setup:    noLoopback,
	Play:     func(ctx context.Context, s *rig.Rig) error { return addToAll(ctx, s, rig.Around) },
}

var addIntoNodeInline = Scenario{
	Name:     "add-into-node-inline",
	Incident: "As add-into-node, with the guard only at the end of the chain (--placement inline).",
	Harms:    []claim.Claim{claim.NodeUntouched, claim.PodRuns},
	Limits:   []claim.Claim{claim.NodeUntouched, claim.PodRuns},
	Limit: "the primary acts before the guard is called, and its changes to a namespace that is not the pod's cannot be undone safely; after bridge has left cni0 without a port " +
		"it starts no more pods. --placement bookend prevents it",
	Holds: []claim.Claim{claim.NotAdded, claim.AddressFree, claim.Recognised, claim.PodGone},
	NotOn: pinned(),
	Setup: noLoopback,
	Play:  func(ctx context.Context, s *rig.Rig) error { return addToAll(ctx, s, rig.Behind) },
}

func addToAll(ctx context.Context, s *rig.Rig, where rig.GuardEntry) error {
	if err := node.RenameEth0(s.NodeNamespace(), uplink); err != nil {
		return err
	}
	all, err := primaries(s)
	if err != nil {
		return err
	}
	for _, primary := range all {
		if err := addTo(ctx, s, primary, where); err != nil {
			return fmt.Errorf("%s: %w", primary["type"], err)
		}
	}
	return s.SeeEvent(claim.Recognised, "host-netns")
}

// addTo calls ADD with the node's namespace, and then with a pod's: a primary that
// does not work at all would leave the node alone as well. The reference plugins
// fail with the node's by themselves: host-local, which they call, sees that it is
// its own (skel of libcni v1.3). By then bridge has made cni0, macvlan its link.
func addTo(ctx context.Context, s *rig.Rig, primary chain.Plugin, where rig.GuardEntry) error {
	if err := s.Chain(ctx, where, primary); err != nil {
		return err
	}
	before, err := node.Snapshot(s.NodeNamespace())
	if err != nil {
		return err
	}
	name := fmt.Sprint("lost-", primary["type"])
	lost, failure := s.Runtime.(runtimes.Misleader).RunInto(ctx, name, s.NodeNamespace())
	if s.Guarded {
		s.See(claim.NotAdded, failure != nil, name+" was started")
	}
	after, err := node.Snapshot(s.NodeNamespace())
	if err != nil {
		return err
	}
	s.See(claim.NodeUntouched, before == after, fmt.Sprintf("%s: %s", name, rig.Difference(before, after)))
	if failure == nil {
		return s.Runtime.Remove(ctx, lost)
	}
	if err := s.SeeAddress(lost); err != nil {
		return err
	}
	if err := node.RemoveLink(s.NodeNamespace(), "eth0"); err != nil {
		return err
	}
	pod, err := s.Runtime.Run(ctx, fmt.Sprint("pod-", primary["type"]))
	s.See(claim.PodRuns, err == nil, fmt.Sprint(err))
	if err != nil {
		return nil // it is seen
	}
	return s.Remove(ctx, pod)
}
