// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

const (
	// aside ends the name of a single configuration that became a list.
	aside = ".cni-guard-orig"
	// ownFile is the guard's own file. "00-" sorts before what primary plugins use.
	ownFile = "00-cni-guard.conflist"
)

// insert plans the edit of the effective file. An edit that is done has no steps.
func (r Request) insert(f conflist.File) (change, error) {
	if r.Placement == Bookend && slices.Contains(f.Plugins, "cilium-cni") {
		return change{}, fmt.Errorf("insert the guard first in %s: cilium-cni takes no result of a plugin before it: use --placement inline", f.Name)
	}
	path := filepath.Join(r.Site.ConfDir, f.Name)
	if r.Placement == Own {
		return r.insertOwn(path)
	}
	target, doc, a, err := readConf(path)
	if err != nil {
		return change{}, err
	}
	if filepath.Ext(path) != ".conflist" {
		return r.convert(path, target, doc, a)
	}
	after, err := r.guarded(path, doc)
	if err != nil {
		return change{}, err
	}
	before, err := edit.Remove(after)
	if err != nil {
		return change{}, fmt.Errorf("edit %s: %w", path, err)
	}
	if !bytes.Contains(doc, []byte(conflist.GuardType)) {
		before = doc // byte for byte, whatever edit thinks
	}
	c := newChange(target, "", before, after, a)
	if !bytes.Equal(doc, after) {
		c.rewrite(target, doc, after, a)
		c.alias(path, target)
	}
	return c, nil
}

func newChange(path, from string, before, after []byte, a attributes) change {
	return change{
		Edit:  Edit{Path: path, From: from, Original: before, Before: hash(before), After: hash(after), Mode: a.mode, UID: a.uid, GID: a.gid},
		files: map[string][]byte{},
	}
}

// guarded gives a list with the guard.
func (r Request) guarded(path string, doc []byte) ([]byte, error) {
	entry, err := r.entry()
	if err != nil {
		return nil, err
	}
	at := edit.Last
	if r.Placement == Bookend {
		at = edit.Both
	}
	after, err := edit.Insert(doc, entry, at)
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w: correct the file, or write the guard into it by hand (docs/install.md); nothing was changed", path, err)
	}
	return after, nil
}

// convert plans to make a list of a single configuration, of the same network. The
// list appears first: NAME.conf sorts before NAME.conflist and NAME.json behind
// it, and either way the one of the two that is selected is right. Then the old
// file goes out of the runtime's sight.
func (r Request) convert(path, target string, doc []byte, a attributes) (change, error) {
	list := strings.TrimSuffix(path, filepath.Ext(path)) + ".conflist"
	if target != path {
		return change{}, fmt.Errorf("make a list of %s: it is a link, to %s: replace it by the file, or use --placement own", path, target)
	}
	if r.Site.Runtime.Kind == conflist.Containerd && r.Site.Runtime.MaxConfNum != 1 {
		return change{}, fmt.Errorf("make a list of %s: max_conf_num is %d, and while both the file and the list are there pods would get the network twice: make it a list by hand, in one step (docs/install.md)", path, r.Site.Runtime.MaxConfNum)
	}
	if exists(list) && !r.made(list) {
		return change{}, fmt.Errorf("make a list of %s: %s is there already, and is not ours: put one of them away (guardctl conf shows which counts)", path, list)
	}
	after, err := edit.FromConf(doc)
	if err == nil {
		after, err = r.guarded(path, after)
	}
	if err != nil {
		return change{}, fmt.Errorf("make a list of %s: %w", path, err)
	}
	if err := mayReplace(list); err != nil {
		return change{}, err
	}
	c := newChange(list, path, doc, after, a)
	c.Aside = path + aside
	if err := c.rewriteOver(list, after, a); err != nil {
		return c, err
	}
	c.move(path, c.Aside, nil)
	return c, nil
}

// made reports whether the record says that we made the file.
func (r Request) made(path string) bool {
	record, err := readIfAny(r.RecordDir)
	return err == nil && record != nil && record.Edit.Path == path && record.Edit.From != ""
}
