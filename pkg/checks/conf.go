// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// A Conf says where the network configuration comes from. Nothing of it is read before a
// check needs it. The zero Conf is that of a caller that does not select a file.
type Conf struct {
	// Dir is the conf dir. "": the one of conflist.ConfDirs that has a file of Network with
	// the guard in it; unknown if several have one.
	Dir string
	// Network is the name of the network that called. "": there is no call, and any file
	// with the guard in it is the guard's own.
	Network string
	// Runtime is the runtime whose selection rules apply. With the zero Kind it holds only
	// the plugin directories; the rest follows from Caller and the options.
	Runtime conflist.Runtime
	// Caller returns the name of the calling process, as in /proc/PID/comm; nil without a
	// call.
	Caller func() (string, error)
	// CRIODefaultNetwork returns the cni_default_network of the CRI-O that called; nil
	// where Runtime has it. It is called only if the answer matters.
	CRIODefaultNetwork func() (string, error)
	// Intent is what guardctl knows of the operator's intent; zero in a call. Its fields
	// Allow, NoOtherFile, Network and DuringAdd are set by the checks.
	Intent assess.Intent
	// Loopback returns the loopback plugin of the node; nil where it is not known.
	Loopback func() (Loopback, error)
	// Inspect holds the inspections that guardctl provides.
	Inspect Inspections
}

// A Loopback is the loopback plugin that the runtime would call.
type Loopback struct {
	Path     string // "": not found
	Ours     bool   // it is the one of this project
	Internal bool   // containerd calls none: use_internal_loopback = true
}

// A detected is the result of runtime.
type detected struct {
	runtime conflist.Runtime
	err     error
}

// runtime returns the runtime whose selection rules apply; the zero Kind means that the
// caller does not select a file. The caller is read once for all checks of a run. An error
// says that the runtime is unknown.
func (t *Target) runtime() (conflist.Runtime, error) {
	d := t.detected.Load()
	if d == nil {
		d = &detected{}
		d.runtime, d.err = t.detectRuntime()
		t.detected.Store(d)
	}
	return d.runtime, d.err
}

func (t *Target) detectRuntime() (conflist.Runtime, error) {
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
		r.Kind, err = t.callerKind()
	default:
		r.Kind, err = conflist.ParseKind(string(o.Caller))
	}
	r.MaxConfNum, r.DefaultNetwork = o.MaxConfNum, o.DefaultNetwork
	return r, err
}

// selectsByName returns the programs that are configured with the name or the file of a network.
// Other files of the conf dir do not affect them.
func selectsByName() []string {
	return []string{
		"podman", "nerdctl", "ctr", "buildah", "buildkitd", "cnitool", "nomad", "guardctl",
		"multus", "multus-shim", "multus-daemon",
	}
}

func (t *Target) callerKind() (conflist.Kind, error) {
	name, err := t.Conf.Caller()
	if err != nil {
		return 0, fmt.Errorf("tell which runtime calls: %w", err)
	}
	if slices.Contains(selectsByName(), name) {
		return 0, nil
	}
	kind, err := conflist.ParseKind(name)
	if err != nil {
		return 0, fmt.Errorf(`tell which runtime calls: cni-guard does not know the process %q; set "runtime" of the check conflist`, name)
	}
	return kind, nil
}

// A confDir is a conf dir as far as it was read.
type confDir struct {
	conflist.Selection
	ownFile string        // the file of the network that called, with the guard in it; "": none
	ownList conflist.List // the content of ownFile
}

// errNoOwnFile says that neither the conf dir nor, if it is not known, one of the usual
// ones has a file of the network with the guard in it.
var errNoOwnFile = errors.New(`set "confDir" to the conf_dir of the runtime if that is another`)

// errTwoConfDirs says that several conf dirs have a file of the network with the guard
// in it.
var errTwoConfDirs = errors.New(`set "confDir" to the conf_dir of the runtime that calls`)

// A foundConfDir is the result of confDir.
type foundConfDir struct {
	dir *confDir
	err error
}

// confDir returns the conf dir with the guard's own file. It is read once for all checks
// of a run. names are the files in Conf.Dir, nil if they were not listed before. The
// error wraps errNoOwnFile where there is no such file; the conf dir is then returned
// all the same if the configuration names it.
func (t *Target) confDir(r conflist.Runtime, names []string) (*confDir, error) {
	f := t.found.Load()
	if f == nil {
		f = &foundConfDir{}
		if t.Conf.Dir == "" {
			f.dir, f.err = t.searchConfDirs(conflist.ConfDirs(), r)
		} else {
			f.dir, f.err = t.readConfDir(r, names)
		}
		t.found.Store(f)
	}
	return f.dir, f.err
}

func (t *Target) readConfDir(r conflist.Runtime, names []string) (*confDir, error) {
	dir := t.Conf.Dir
	if names == nil {
		var err error
		if names, err = r.Names(dir); err != nil {
			return nil, err
		}
	}
	d := t.openConfDir(dir, names, r)
	if d.ownFile == "" {
		return d, fmt.Errorf("no file in %s has cni-guard in %s; %w", dir, networkWords(t.Conf.Network), errNoOwnFile)
	}
	return d, nil
}

// searchConfDirs returns the conf dir that has the guard's own file. With two it is
// unknown which runtime the pods belong to: the conf dir of a runtime stays after the
// runtime is gone, and k3s's pods must not be refused for a file in /etc/cni/net.d.
func (t *Target) searchConfDirs(dirs []string, r conflist.Runtime) (*confDir, error) {
	var errs error
	var found *confDir
	for _, dir := range dirs {
		names, err := r.Names(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				errs = errors.Join(errs, err)
			}
			continue
		}
		d := t.openConfDir(dir, names, r)
		switch {
		case d.ownFile == "":
		case found == nil:
			found = d
		case !hostfs.Or(r.Files).Same(found.Dir, dir):
			return nil, fmt.Errorf("%s and %s both have a file with cni-guard in %s; %w", assess.QuoteName(found.Path(found.ownFile)), assess.QuoteName(d.Path(d.ownFile)), networkWords(t.Conf.Network), errTwoConfDirs)
		}
	}
	switch {
	case found != nil:
		return found, nil
	case errs != nil:
		return nil, errs
	}
	return nil, fmt.Errorf("no file in %s has cni-guard in %s; %w", strings.Join(dirs, ", "), networkWords(t.Conf.Network), errNoOwnFile)
}

// openConfDir reads files until the guard's own is found. A file that the operator allows
// is not read, unless it is the guard's own.
func (t *Target) openConfDir(dir string, names []string, r conflist.Runtime) *confDir {
	in, o := t.intent(), options[*ConflistOptions](t)
	rest := names
	if len(o.Allow) > 0 {
		rest = slices.DeleteFunc(slices.Clone(names), o.allows)
	}
	d := &confDir{Selection: conflist.SelectLazy(dir, rest, r)}
	own, ok := assess.CallingFile(d.Selection, in)
	if !ok && len(rest) < len(names) {
		d.Selection = conflist.SelectLazy(dir, names, r)
		own, ok = assess.CallingFile(d.Selection, in)
	}
	if ok {
		d.ownFile = own
		d.ownList, _ = d.Read(own) // the check conflist reports a file that the runtime refuses
	}
	return d
}

// intent returns the operator's intent as the configuration and guardctl state it.
func (t *Target) intent() assess.Intent {
	in, o := t.Conf.Intent, options[*ConflistOptions](t)
	in.Allow, in.NoOtherFile = o.Allow, o.Scope == ScopeAny
	in.Network, in.DuringAdd = t.Conf.Network, t.Netns != nil
	return in
}

func networkWords(network string) string {
	if network == "" {
		return "any network"
	}
	return fmt.Sprintf("network %q", network)
}
