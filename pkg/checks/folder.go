// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A folder is a conf dir as far as it was read.
type folder struct {
	dir     string
	names   []string // of the loadable files, in the order of the loader
	runtime conflist.Runtime
	own     int    // the place of the guard's own file in names, -1 for none
	mine    looked // that file
	ran     bool   // a pod waits, for which the whole list has just run
}

// looked is a file that was read.
type looked struct {
	conflist.List
	refused error // why the runtime refuses it
}

// errNoOwnFile says that a folder, or none of the usual ones, has a file of the
// network with the guard in it.
var errNoOwnFile = errors.New(`set "confDir" to the conf_dir of the runtime if that is another`)

// folder gives the conf dir with the guard's own file, which is read once for all
// checks of a run. The error wraps errNoOwnFile where there is no such file; the
// folder is then given all the same if the configuration names it. The names in
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
	if f.own < 0 {
		return f, fmt.Errorf("no file in %s has cni-guard in %s; %w", dir, networkWords(t.Conf.Network), errNoOwnFile)
	}
	return f, nil
}

// open reads a folder until the guard's own file is found. Files that the
// operator allows are read last: they are seldom it.
func (t *Target) open(dir string, names []string, r conflist.Runtime) *folder {
	f := &folder{dir: dir, names: names, runtime: r, own: -1, ran: t.Netns != nil}
	for _, allowed := range []bool{false, true} {
		for i, name := range names {
			if t.Options.Conflist.Allow.match(name) != allowed {
				continue
			}
			if l := f.look(name); l.guarded(t.Conf.Network) {
				f.own, f.mine = i, l
				return f
			}
		}
	}
	return f
}

// look reads a file by the rules of the runtime, or by containerd's where no file
// is selected.
func (f *folder) look(name string) looked {
	if f.runtime.Kind == 0 {
		l, err := conflist.Read(f.dir, name)
		return looked{l, err}
	}
	l, err := conflist.Look(f.dir, name, f.runtime)
	return looked{l, err}
}

// guarded tells whether the guard is in the file, and the file of the network.
func (l looked) guarded(network string) bool {
	return (network == "" || l.Name == network) && slices.Contains(l.Types(), conflist.GuardType)
}

func networkWords(network string) string {
	if network == "" {
		return "any network"
	}
	return fmt.Sprintf("network %q", network)
}
