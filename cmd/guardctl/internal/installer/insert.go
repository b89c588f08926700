// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// aside ends the name of a single configuration that became a list.
const aside = ".cni-guard-orig"

// insert plans the edit of the effective file. An edit that is done has no steps.
func (r Request) insert(f target, record *Record) (change, error) {
	if err := r.suits(f); err != nil {
		return change{}, err
	}
	path := filepath.Join(r.Site.ConfDir, f.Name)
	if r.Placement == Own {
		return r.insertOwn(path, record)
	}
	target, doc, a, err := readConf(path)
	if errors.Is(err, errOutside) {
		err = fmt.Errorf("%w: add the guard there, where the file is made, or use --placement own", err)
	}
	if err != nil {
		return change{}, err
	}
	if filepath.Ext(path) != ".conflist" {
		return r.convert(f, target, doc, a, record)
	}
	after, err := r.guarded(path, doc, entryIn(doc))
	if err != nil {
		return change{}, err
	}
	before, err := edit.Remove(after)
	if err != nil {
		return change{}, fmt.Errorf("edit %s: %w", path, err)
	}
	if entryIn(doc) == nil {
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

// guarded gives a list with the guard; kept is the entry that there is already,
// nil for none.
func (r Request) guarded(path string, doc []byte, kept json.RawMessage) ([]byte, error) {
	entry, err := r.entryFrom(kept)
	if err != nil {
		return nil, err
	}
	at := edit.Last
	if r.Placement == Bookend {
		at = edit.FirstAndLast
	}
	after := doc
	if kept != nil && !bytes.Equal(entry, kept) {
		after, err = edit.Remove(doc)
	}
	if err == nil {
		after, err = edit.Insert(after, entry, at)
	}
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w: correct the file, or write the guard into it by hand (docs/install.md); nothing was changed", path, err)
	}
	return after, nil
}

// convert plans to make a list of a single configuration, of the same network. The
// list appears first: NAME.conf sorts before NAME.conflist and NAME.json behind
// it, and either way the one of the two that is selected is right. Then the old
// file goes out of the runtime's sight.
func (r Request) convert(f target, target string, doc []byte, a attributes, record *Record) (change, error) {
	path := filepath.Join(r.Site.ConfDir, f.Name)
	list := strings.TrimSuffix(path, filepath.Ext(path)) + ".conflist"
	if target != path {
		return change{}, fmt.Errorf("make a list of %s: it is a link, to %s: replace it by the file, or use --placement own", path, target)
	}
	if r.Site.Runtime.Kind == conflist.Containerd && r.Site.Runtime.MaxConfNum != 1 {
		return change{}, fmt.Errorf("make a list of %s: max_conf_num is %d, and while both the file and the list are there pods would get the network twice: make it a list by hand, in one step (docs/install.md)", path, r.Site.Runtime.MaxConfNum)
	}
	if who, must := r.waited(f.Name); must || who != "" && r.suitsOwn(f) {
		return change{}, fmt.Errorf("make a list of %s: %s, so that it must keep its name: %s; nothing was changed", path, who, r.insteadOfList(f))
	}
	if exists(list) && !made(list, record) {
		return change{}, fmt.Errorf("make a list of %s: %s is there already, and is not ours: put one of them away (guardctl conf shows which counts)", path, list)
	}
	after, err := edit.FromConf(doc)
	if err == nil {
		after, err = r.guarded(path, after, madeEntry(list, record))
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
	c.move(path, c.Aside, doc)
	return c, nil
}

// insteadOfList says how to guard a single configuration that must keep its name.
func (r Request) insteadOfList(f target) string {
	if r.suitsOwn(f) {
		return "use --placement own, which leaves it as it is"
	}
	return "have the network plugin write a .conflist that ends in the guard's entry, and tell Multus of its name"
}

// made reports whether the record says that we made the file.
func made(path string, record *Record) bool {
	return record != nil && record.Edit.Path == path && record.Edit.From != ""
}

// madeEntry gives the guard's entry of a list that we made, as the operator left
// it.
func madeEntry(list string, record *Record) json.RawMessage {
	doc, err := os.ReadFile(list)
	if err != nil || !made(list, record) {
		return nil
	}
	return entryIn(doc)
}
