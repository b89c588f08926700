// SPDX-License-Identifier: Apache-2.0

package checks

import "github.com/cni-guard/cni-guard/pkg/guard"

// chainPlugins looks at the programs that a pod's start takes. A missing one is the
// commonest reason why no pod starts after a change of images (k3s#10869,
// multus-cni#927), and with CRI-O the reason why another network is taken.
type chainPlugins struct{}

func (chainPlugins) declare() guard.Declaration {
	return guard.Declaration{Name: "chain-plugins"}
}

func (chainPlugins) check() *Check {
	return &Check{
		Summary:   "No pod starts, or CRI-O uses another file, because a plugin of the list is missing, cannot be executed, or does not support the version of its list. Or addresses leak, because guardctl is missing next to cni-guard, which needs it when it refuses a DEL.",
		Detection: "A plugin of the intended file or of the one in use, or a plugin for addresses that one of them starts, is in none of the runtime's folders of plugins (the finding says where it is instead), has no execute permission, lies on a file system that is mounted noexec, does not answer VERSION, or does not support the cniVersion of the list. Or guardctl is in none of the plugin directories, or is not executable there, though a file has the guard.",
		Remedy:    "Install the program in the folder that is named, or let the runtime look where it is.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Chain }),
	}
}
