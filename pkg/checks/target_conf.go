// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// A Conf is where the network configuration comes from. Nothing of it is read
// before a check asks. The zero Conf belongs to a caller that selects no file.
type Conf struct {
	// Dir is the conf dir. "": that of conflist.ConfDirs that has a file of Network
	// with the guard in it; where several have, nobody can tell.
	Dir string
	// Network is the name of the network that called. "": nobody did, and any file
	// with the guard in it is the guard's own.
	Network string
	// Runtime is whose rules of selection hold. With the zero Kind it knows no more
	// than where the plugins are, and the rest follows from Caller and the options.
	Runtime conflist.Runtime
	// Caller gives the name of the process that called, as /proc/PID/comm has it;
	// nil where nobody did.
	Caller func() (string, error)
	// CRIODefaultNetwork gives the cni_default_network of the CRI-O that called; nil
	// where Runtime has it. It is asked only where it decides something.
	CRIODefaultNetwork func() (string, error)
	// Intent is what guardctl knows of the operator's wishes; in a call it is zero. Its
	// fields Allow, Alone, Network and Waiting are taken from elsewhere.
	Intent assess.Intent
	// Loopback tells of the loopback plugin of the node; nil where nobody looked.
	Loopback func() (Loopback, error)
	// Inspect has what only guardctl looks at.
	Inspect Inspections
}

// A Loopback is the loopback plugin that the runtime would call.
type Loopback struct {
	Path     string // where it was found; "": nowhere
	Ours     bool   // it is the one of this project
	Internal bool   // containerd calls none: use_internal_loopback = true
}

// runtime gives whose rules of selection hold, the zero Kind where no file is
// selected. An error says that this cannot be told.
func (t *Target) runtime() (conflist.Runtime, error) {
	r := t.Conf.Runtime
	if r.Kind != 0 {
		return r, nil
	}
	o := options[*ConflistOptions](t)
	var err error
	switch {
	case o.Caller == CallerNone, o.Caller == CallerDetect && t.Conf.Caller == nil:
		return r, nil
	case o.Caller == CallerDetect:
		r.Kind, err = t.detect()
	default:
		r.Kind, err = conflist.ParseKind(string(o.Caller))
	}
	r.MaxConfNum, r.DefaultNetwork = o.MaxConfNum, o.DefaultNetwork
	return r, err
}

// byName are programs that are told which network to call, by its name or by its
// file: what else lies in the folder is nothing to them.
func byName() []string {
	return []string{
		"podman", "nerdctl", "ctr", "buildah", "buildkitd", "cnitool", "nomad", "guardctl",
		"multus", "multus-shim", "multus-daemon",
	}
}

func (t *Target) detect() (conflist.Kind, error) {
	name, err := t.Conf.Caller()
	if err != nil {
		return 0, fmt.Errorf("tell which runtime calls: %w", err)
	}
	if slices.Contains(byName(), name) {
		return 0, nil
	}
	kind, err := conflist.ParseKind(name)
	if err != nil {
		return 0, fmt.Errorf(`tell which runtime calls: the process %q is none that cni-guard knows; set "runtime" of the check conflist`, name)
	}
	return kind, nil
}
