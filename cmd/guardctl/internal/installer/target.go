// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A target is the file into which the guard belongs.
type target struct {
	conflist.File
	multus string // the file that the runtime selects, where that is Multus's
}

// selected gives the name of the file that the runtime selects.
func (t target) selected() string { return cmp.Or(t.multus, t.Name) }

// target gives the file that the runtime selects or, where that is Multus's, the
// one that Multus hands pods on to: Multus writes its own file again, and has the
// guard called for every network if it stands there.
func (v view) target(r conflist.Runtime) (target, error) {
	f, err := v.selected(r)
	if err != nil || !f.Multus() {
		return target{File: f}, err
	}
	multus, err := conflist.Read(v.dir, f.Name)
	if err != nil {
		return target{}, errors.New(v.says(err.Error()))
	}
	name, l, err := conflist.DelegateFile(v.dir, multus, r)
	if err != nil {
		return target{}, errors.New(v.says(err.Error()))
	}
	t := target{File: conflist.File{Name: name, Network: l.Name, CNIVersion: l.CNIVersion}, multus: f.Name}
	for _, p := range l.Plugins {
		t.Plugins = append(t.Plugins, p.Type)
		if p.DropIn != "" {
			t.DropIns = append(t.DropIns, p.DropIn)
		}
	}
	return t, v.parsed(t.File)
}

// suits refuses placements that go wrong with what is there.
func (r Request) suits(t target) error {
	switch {
	case r.Placement == Bookend && slices.Contains(t.Plugins, "cilium-cni"):
		return fmt.Errorf("insert the guard first in %s: cilium-cni takes no result of a plugin before it: use --placement inline", t.Name)
	case r.Placement == Own && t.multus != "":
		return fmt.Errorf("write %s: it would take the place of %s, and Multus would take it for the file to hand pods on to: use --placement inline, which edits %s", conflist.OwnFile, t.multus, t.Name)
	case r.Placement == Bookend && t.multus != "":
		return fmt.Errorf("insert the guard first in %s: how Multus takes a list that begins with the guard is not known: use --placement inline", t.Name)
	case r.Placement == Own && perRelease(r.named.BinDir):
		return fmt.Errorf("write %s: this k3s makes a folder of plugins for every release (%s), and after the next upgrade no pod would start, for %s would name a plugin that is not there: use --placement inline, or a k3s from v1.31.1", conflist.OwnFile, r.named.BinDir, conflist.OwnFile)
	}
	return nil
}
