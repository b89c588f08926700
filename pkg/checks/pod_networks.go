// SPDX-License-Identifier: Apache-2.0

package checks

import "github.com/cni-guard/cni-guard/pkg/guard"

// podNetworks looks at what an incident leaves behind: the folder is right again,
// and pods that started meanwhile stay broken (kubernetes-sigs/kubespray#11033 was
// told as a failure of DNS).
type podNetworks struct{}

func (podNetworks) declare() guard.Declaration {
	return guard.Declaration{Name: "pod-networks"}
}

func (podNetworks) check() *Check {
	return &Check{
		Summary:   "The right file is back, and the pods that started before stay on the wrong network, unguarded, or hold addresses long after they are gone.",
		Detection: "In the cache of the runtime's libcni, a pod that lives is attached to another network than the intended one. Minor findings: with CRI-O, which deletes by its cache, a pod was attached before cni-guard was in the list; a sandbox is proved to be gone, the runtime does not know it any more, and its attachment or its reservation by host-local is still there.",
		Remedy:    "Let the pods start again. Run the command that is named for what a pod that is gone still holds: it looks first whether the pod lives.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Pods }),
	}
}
