// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// A folder is a conf dir as far as it was read.
type folder struct {
	conflist.Selection
	own  string        // the file of the network that called, with the guard in it; "" if there is none
	mine conflist.List // that file
}

// errNoOwnFile says that a folder, or none of the usual ones, has a file of the
// network with the guard in it.
var errNoOwnFile = errors.New(`set "confDir" to the conf_dir of the runtime if that is another`)

// folder returns the conf dir with the guard's own file, which is read once for all
// checks of a run. The error wraps errNoOwnFile where there is no such file; the
// folder is then returned all the same if the configuration names it. The names in
// it may be known already.
func (t *Target) folder(r conflist.Runtime, names []string) (*folder, error) {
	if f := t.found.Load(); f != nil {
		return f, nil
	}
	f, err := t.find(r, names)
	if err == nil {
		t.found.Store(f)
	}
	return f, err
}

func (t *Target) find(r conflist.Runtime, names []string) (*folder, error) {
	dir := t.Conf.Dir
	if dir == "" {
		return t.search(conflist.ConfDirs(), r)
	}
	if names == nil {
		var err error
		if names, err = conflist.Names(dir); err != nil {
			return nil, err
		}
	}
	f := t.open(dir, names, r)
	if f.own == "" {
		return f, fmt.Errorf("no file in %s has cni-guard in %s; %w", dir, networkWords(t.Conf.Network), errNoOwnFile)
	}
	return f, nil
}

// open reads a folder until the guard's own file is found. Files that the operator
// allows are left out, and not read, unless it is one of them.
func (t *Target) open(dir string, names []string, r conflist.Runtime) *folder {
	in, o := t.intent(), options[*ConflistOptions](t)
	var rest []string
	for _, name := range names {
		if !o.allows(name) {
			rest = append(rest, name)
		}
	}
	f := &folder{Selection: conflist.SelectLazy(dir, rest, r)}
	own, ok := assess.CallingFile(f.Selection, in)
	if !ok && len(rest) < len(names) {
		f.Selection = conflist.SelectLazy(dir, names, r)
		own, ok = assess.CallingFile(f.Selection, in)
	}
	if ok {
		f.own = own
		f.mine, _ = f.Read(own) // that the runtime refuses it is for the check conflist
	}
	return f
}

// intent is what the configuration, and guardctl, say of the operator's wishes.
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
