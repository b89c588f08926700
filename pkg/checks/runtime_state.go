// SPDX-License-Identifier: Apache-2.0

package checks

import "github.com/cni-guard/cni-guard/pkg/guard"

// runtimeState compares what the runtime works with to what lies on the disk.
// containerd does not see a file that appears under its final name
// (containerd#6490, #8419), and no runtime reads its own configuration again.
type runtimeState struct{}

func (runtimeState) declare() guard.Declaration {
	return guard.Declaration{Name: "runtime-state"}
}

func (runtimeState) check() *Check {
	return &Check{
		Summary:   "The files are right and pods get another network, or none, because the runtime still works with what it loaded before.",
		Detection: "By its CRI status, containerd has loaded another list than its folder has, or none; the folder of configurations, the folders of plugins, max_conf_num or cni_default_network of the runtime that runs differ from its configuration; the runtime says that its network is not ready. CRI-O says what it works with by HTTP at the same socket.",
		Remedy:    "Check the files with guardctl conf. Let the runtime load them by a restart once they are right; pods go on meanwhile.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Runtime }),
	}
}
