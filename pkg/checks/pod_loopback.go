// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// PodLoopback ensures that the pod's lo is up. That it is down on ADD is normal:
// containerd runs the loopback plugin in parallel with the chain.
var PodLoopback = &Check{
	ID:        "CG104",
	Name:      "pod-loopback",
	Summary:   "A pod starts without a working lo, so that its containers cannot reach each other on localhost, and probes and sidecars fail.",
	Detection: "The sandbox's lo lacks the flag UP, the address 127.0.0.1, or, in a pod with IPv6 whose net.ipv6.conf.lo.disable_ipv6 is 0, the address ::1 (`ip -n NAME address show lo`).",
	Remedy:    "Install a loopback plugin in the runtime's bin_dir, or let the runtime bring lo up (containerd: use_internal_loopback). Check that nothing in the pod takes lo down.",
	When:      guard.Add | guard.Verify,
	Default:   guard.Enforce,
	Quiet:     true,
	Needs:     []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:     probePodLoopback,
	Repair:    repairPodLoopback,
}

func probePodLoopback(_ context.Context, t *Target) ([]guard.Finding, error) {
	want, err := podLoopbackAddrs(t)
	if err != nil {
		return nil, err
	}
	return probeLoopback(t.Pod, "pod", want...)
}

func repairPodLoopback(_ context.Context, t *Target) error {
	want, err := podLoopbackAddrs(t)
	if err != nil {
		return err
	}
	return repairLoopback(t.Pod, want...)
}

// podLoopbackAddrs returns the addresses that lo must have: ::1 only if the pod has IPv6
// and the kernel lets lo have it (containernetworking/cni#531).
func podLoopbackAddrs(t *Target) ([]netip.Prefix, error) {
	want := []netip.Prefix{loopback4()}
	if !hasIPv6(t.Want.Addrs) {
		return want, nil
	}
	switch disabled, err := t.Pod.Sysctl("net/ipv6/conf/lo/disable_ipv6"); {
	case errors.Is(err, fs.ErrNotExist): // a kernel without IPv6
		return want, nil
	case err != nil:
		return nil, fmt.Errorf("tell whether lo may have ::1: %w", err)
	case disabled != "0":
		return want, nil
	}
	return append(want, loopback6()), nil
}

func hasIPv6(addrs []netip.Prefix) bool {
	for _, a := range addrs {
		if a.Addr().Is6() {
			return true
		}
	}
	return false
}
