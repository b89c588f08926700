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

// PodAddress compares the pod's interface with the result of the chain. It
// warns by default: a plugin for a virtual machine, or for a device in user
// space, may rightly leave nothing in the sandbox that looks like its result.
var PodAddress = &Check{
	Name:     "pod-address",
	Prevents: "A pod is reported ready with an address that its interface does not have, because something replaced or stripped the interface behind the primary plugin's back.",
	Seen:     "CNI_IFNAME is missing in the sandbox, is down, has another MAC than the result of the chain, or lacks an address of the result.",
	Remedy:   "Compare `ip addr` in the pod with the result of the primary plugin; look for a network manager that reconfigures new interfaces, and for two pods that were given one sandbox.",
	When:     guard.Add | guard.Verify,
	Default:  guard.Warn,
	Needs:    []*Check{StaleNetns, HostNetns, ForeignNetns},
	Probe:    probePodAddress,
}

func probePodAddress(_ context.Context, t *Target) ([]guard.Finding, error) {
	if t.Want.MAC == "" && len(t.Want.Addrs) == 0 {
		return nil, nil // the result says nothing of the interface
	}
	object := "pod/" + t.IfName
	link, err := t.Pod.Link(t.IfName)
	if errors.Is(err, fs.ErrNotExist) {
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
		if !holds(have, want.Addr()) { // prefix lengths differ rightly: Calico gives /32
			findings = append(findings, guard.Finding{Object: object, Problem: "has no address " + want.Addr().String()})
		}
	}
	return findings, nil
}
