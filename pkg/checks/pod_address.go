// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// PodAddress compares the pod's interface with the result of the chain. It warns by
// default: a program that hands the interface to a virtual machine leaves nothing in the
// sandbox that looks like the result, and not all such programs are known.
var PodAddress = &Check{
	ID:      "CG106",
	Name:    "pod-address",
	Summary: "A pod is reported ready with an address that its interface does not have, because something replaced or changed the interface after the primary plugin.",
	Detection: "`CNI_IFNAME` is missing in the sandbox, is down, has another MAC than the result of the chain, or lacks an address of the result. " +
		"A missing interface is correct if the entry has a `deviceID` or `pciBusID`, or the result has a `socketPath`, a `pciID`, or a sandbox that is not a path: a program in user space drives the device (DPDK, vhost-user). " +
		"Another interface is correct in a KubeVirt pod whose interface was bridged to the virtual machine.",
	Remedy: "Compare `ip addr` in the pod with the result of the primary plugin. Look for a network manager that reconfigures new interfaces, and for two pods that were given one sandbox. " +
		"If the pods of a network are meant to be like this, turn the check off in the guard's entry of that network: `\"checks\": {\"pod-address\": {\"policy\": \"off\"}}`.",
	When:    guard.Add | guard.Verify,
	Default: guard.Warn,
	Needs:   []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:   probePodAddress,
}

func probePodAddress(_ context.Context, t *Target) ([]guard.Finding, error) {
	if t.Want.MAC == "" && len(t.Want.Addrs) == 0 {
		return nil, nil // the result does not describe the interface
	}
	findings, err := differences(t)
	if err != nil || len(findings) == 0 || bridgedToVM(t) {
		return nil, err
	}
	return findings, nil
}

// differences returns a finding for each difference between the interface and the result.
func differences(t *Target) ([]guard.Finding, error) {
	object := "pod/" + t.IfName
	link, err := t.podLink()
	if errors.Is(err, fs.ErrNotExist) {
		if t.Want.Optional {
			return nil, nil
		}
		return []guard.Finding{{Object: object, Problem: "does not exist"}}, nil
	}
	if err != nil {
		return nil, err
	}
	have, err := t.Pod.Addrs(t.IfName)
	if err != nil {
		return nil, err
	}
	var findings []guard.Finding
	if !link.Up {
		findings = append(findings, guard.Finding{Object: object, Problem: "is down"})
	}
	if t.Want.MAC != "" && !strings.EqualFold(t.Want.MAC, link.MAC.String()) {
		problem := fmt.Sprintf("has MAC %s, the result says %s", link.MAC, t.Want.MAC)
		findings = append(findings, guard.Finding{Object: object, Problem: problem})
	}
	for _, want := range t.Want.Addrs {
		if !holds(have, want.Addr()) { // prefix lengths may differ: Calico's is /32
			findings = append(findings, guard.Finding{Object: object, Problem: "has no address " + want.Addr().String()})
		}
	}
	return findings, nil
}

// bridgedToVM reports whether KubeVirt bridged the interface to a virtual machine. Its
// bridge binding renames the interface, changes its MAC, and leaves a dummy of the old name
// with the address (pkg/network/setup/netpod of kubevirt; names: pkg/network/link/names.go).
// Only pods that differ from their result are checked for it.
func bridgedToVM(t *Target) bool {
	name := strings.TrimPrefix(t.IfName, "pod") // the prefix of hashed names of secondary interfaces
	for _, its := range []string{name + "-nic", "k6t-" + name} {
		if _, err := t.Pod.Link(its); err != nil {
			return false
		}
	}
	return true
}
