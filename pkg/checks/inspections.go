// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// An Inspection is a probe that starts programs or asks the runtime, which no check may
// do. guardctl provides it. Nil means that it was not provided.
type Inspection func(context.Context) ([]guard.Finding, error)

// Inspections are the inspections that guardctl provides.
type Inspections struct {
	Runtime Inspection // what the running runtime has loaded
	Chain   Inspection // the programs of the plugins in use
	Pods    Inspection // the attachments in the runtime's cache
	Changes Inspection // the conf dir since the installation
}

// inspect returns a probe that returns the findings of an inspection.
func inspect(of func(Inspections) Inspection) func(context.Context, *Target) ([]guard.Finding, error) {
	return func(ctx context.Context, t *Target) ([]guard.Finding, error) {
		inspection := of(t.Conf.Inspect)
		if inspection == nil {
			return nil, errors.New("only guardctl doctor can inspect this")
		}
		return inspection(ctx)
	}
}

// runtimeState compares what the runtime has loaded with the files. containerd misses a
// file that is renamed into the conf dir (containerd#6490, #8419), and no runtime reads
// its own configuration again.
type runtimeState struct{}

func (runtimeState) declare() guard.Declaration {
	return guard.Declaration{Name: "runtime-state"}
}

func (runtimeState) check() *Check {
	return &Check{
		ID:        "CG203",
		Summary:   "The files are correct, but pods get another network or none, because the runtime still uses what it loaded before.",
		Detection: "According to its CRI status, containerd has loaded another network than its conf dir has, or none. Or the conf dir, plugin directories, max_conf_num or cni_default_network that the runtime uses differ from its configuration. Or the runtime reports that its network is not ready. For CRI-O this is read by HTTP from the CRI socket.",
		Remedy:    "Check the files with `guardctl conf`. Restart the runtime once they are correct; running pods are not affected.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Runtime }),
	}
}

// chainPlugins checks the programs that the start of a pod needs. A missing one is the
// most common reason why no pod starts after a change of images (k3s#10869,
// multus-cni#927), and with CRI-O a reason why it selects another network.
type chainPlugins struct{}

func (chainPlugins) declare() guard.Declaration {
	return guard.Declaration{Name: "chain-plugins"}
}

func (chainPlugins) check() *Check {
	return &Check{
		ID:        "CG204",
		Summary:   "No pod starts, or CRI-O selects another file, because a plugin is missing, cannot be executed, or does not support the CNI version of the file; or addresses leak, because guardctl is missing next to cni-guard.",
		Detection: "A plugin of the intended or the selected file, or the IPAM plugin of one, is in none of the runtime's plugin directories (the finding names where it is instead), has no execute permission, is on a file system that is mounted noexec, does not answer VERSION, or does not support the cniVersion of the file. Or a file has the guard, and guardctl, which it needs when it refuses a DEL, is in none of the plugin directories or is not executable there.",
		Remedy:    "Install the program in the directory that the finding names, or add its directory to the plugin directories of the runtime.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Chain }),
	}
}

// confChanges compares the conf dir with the installation record. Whether a change does
// harm is for the checks conflist and guard-placement to say; this one says that there is
// one: an operator who finds pods without a network asks first what changed.
type confChanges struct{}

func (confChanges) declare() guard.Declaration { return guard.Declaration{Name: "conf-changes"} }

func (confChanges) check() *Check {
	return &Check{
		ID:        "CG205",
		Summary:   "The conf dir is not what it was when the guard was installed: the runtime selects another file, or files were added, removed or changed.",
		Detection: "The names and SHA-256 sums of the files, and the file that the runtime selects, differ from those in the installation record (`guardctl conf diff` shows the difference). It is a finding if the runtime selects another file, or none; any other change is a minor finding, because network plugins rewrite their own files. Without a record the check does not apply.",
		Remedy:    "Run `guardctl conf diff`, which shows the change; `guardctl conf` says which file is the intended one, and what to do about the others. If the change is intended, nothing needs to be done.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Changes }),
	}
}

// podNetworks reports what an incident leaves behind: the files are correct again, and pods
// that started during the incident stay broken (kubernetes-sigs/kubespray#11033, which was
// reported as a DNS failure).
type podNetworks struct{}

func (podNetworks) declare() guard.Declaration {
	return guard.Declaration{Name: "pod-networks"}
}

func (podNetworks) check() *Check {
	return &Check{
		ID:        "CG206",
		Summary:   "Pods that started during an incident stay on the wrong network or unguarded, and pods that are gone still hold addresses.",
		Detection: "In the cache of the runtime's libcni, a running pod is attached to another network than the intended one. Minor findings: a pod was attached before cni-guard was in the file, and the runtime is CRI-O, which deletes a pod with the configuration in its cache; a sandbox is gone and unknown to the runtime, but its attachment or its host-local reservation is still there.",
		Remedy:    "Delete the pods, so that they start again on the intended network. For a pod that is gone, run the command in the finding: it first checks that the pod is not running.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     inspect(func(i Inspections) Inspection { return i.Pods }),
	}
}
