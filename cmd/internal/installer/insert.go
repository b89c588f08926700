// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// asideSuffix ends the name of a single-plugin file that was converted to a list.
const asideSuffix = ".cni-guard-orig"

// insert plans the edit of the effective file. It has no steps if the guard is in place.
func (r Request) insert(f target, record *Record) (change, error) {
	if err := r.checkPlacement(f); err != nil {
		return change{}, err
	}
	path := filepath.Join(r.Site.ConfDir, f.Name)
	if r.Placement == Own {
		return r.insertOwn(path, record)
	}
	target, doc, a, err := readConf(path)
	if errors.Is(err, errOutsideConfDir) {
		err = fmt.Errorf("%w: add the guard there, where the file is made, or use --placement own", err)
	}
	if err != nil {
		return change{}, err
	}
	if filepath.Ext(path) != ".conflist" {
		return r.convert(f, target, doc, a, record)
	}
	after, err := r.addGuard(path, doc, firstEntry(entryIn(doc), r.lastEntry(record)))
	if err != nil {
		return change{}, err
	}
	before, err := edit.Remove(after)
	if err != nil {
		return change{}, fmt.Errorf("edit %s: %w", path, err)
	}
	if entryIn(doc) == nil {
		before = doc // byte for byte
	}
	c := newChange(target, "", before, after, a)
	if !bytes.Equal(doc, after) {
		c.planWrite(target, doc, after, a)
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

// addGuard returns a list with the guard; kept is the existing entry, or the one that the
// list had before it was rewritten, nil if there was none.
func (r Request) addGuard(path string, doc []byte, kept json.RawMessage) ([]byte, error) {
	entry, err := r.updateEntry(kept)
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
		return nil, fmt.Errorf("edit %s: %w: correct the file, or add the guard by hand (docs/install.md); nothing was changed", path, err)
	}
	return after, nil
}

// convert plans to convert a single-plugin file to a list with the same network. The list
// is written first. NAME.conf sorts before NAME.conflist, and NAME.json after it; either
// way the file that is selected is right. Then the old file is renamed to a name that no
// runtime loads.
func (r Request) convert(f target, target string, doc []byte, a attributes, record *Record) (change, error) {
	path := filepath.Join(r.Site.ConfDir, f.Name)
	list := strings.TrimSuffix(path, filepath.Ext(path)) + ".conflist"
	if target != path {
		return change{}, fmt.Errorf("make a list of %s: it is a link, to %s: replace it by the file, or use --placement own", path, target)
	}
	if r.Site.Runtime.Kind == conflist.Containerd && r.Site.Runtime.MaxConfNum != 1 {
		return change{}, fmt.Errorf("make a list of %s: max_conf_num is %d, and while both the file and the list are there pods would get the network twice: make it a list by hand, in one step (docs/install.md)", path, r.Site.Runtime.MaxConfNum)
	}
	if who, must := r.waitingProgram(f.Name); must || who != "" && r.supportsOwn(f) {
		return change{}, fmt.Errorf("make a list of %s: %s, so that it must keep its name: %s; nothing was changed", path, who, r.insteadOfList(f))
	}
	if exists(list) && !isConverted(list, record) {
		return change{}, fmt.Errorf("make a list of %s: %s is there already, and is not ours: put one of them away (guardctl conf shows which counts)", path, list)
	}
	after, err := edit.FromConf(doc)
	if err == nil {
		after, err = r.addGuard(path, after, firstEntry(convertedEntry(list, record), r.lastEntry(record)))
	}
	if err != nil {
		return change{}, fmt.Errorf("make a list of %s: %w", path, err)
	}
	if err := checkReplaceable(list); err != nil {
		return change{}, err
	}
	c := newChange(list, path, doc, after, a)
	c.Aside = path + asideSuffix
	if err := c.planWriteOver(list, after, a); err != nil {
		return c, err
	}
	c.planRename(path, c.Aside, doc)
	return c, nil
}

// insteadOfList returns how to guard a single-plugin file that must keep its name.
func (r Request) insteadOfList(f target) string {
	if r.supportsOwn(f) {
		return "use --placement own, which leaves it as it is"
	}
	return "configure the network plugin to write a .conflist that ends with the guard's entry, and Multus to use its name"
}

// isConverted reports whether the file is a converted one by the record.
func isConverted(path string, record *Record) bool {
	return record != nil && record.Edit.Path == path && record.Edit.From != ""
}

// convertedEntry returns the guard's entry of a converted list.
func convertedEntry(list string, record *Record) json.RawMessage {
	doc, err := os.ReadFile(list)
	if err != nil || !isConverted(list, record) {
		return nil
	}
	return entryIn(doc)
}

// insertOwn plans to write the guard's own file, a copy of the effective list with the
// guard, or to update it if the list was changed. It has the same network, and therefore
// the same drop-ins.
func (r Request) insertOwn(path string, record *Record) (change, error) {
	own := filepath.Join(r.Site.ConfDir, conflist.OwnFile)
	if r.Site.Runtime.Kind == conflist.Containerd && r.Site.Runtime.MaxConfNum != 1 {
		return change{}, fmt.Errorf("write %s: max_conf_num is %d, and pods would get the network twice, from this file and from %s: use --placement inline", own, r.Site.Runtime.MaxConfNum, path)
	}
	if path == own {
		source, err := r.sourceOfOwn()
		if err != nil {
			return change{}, err
		}
		path = source
	}
	if filepath.Base(path) < conflist.OwnFile {
		return change{}, fmt.Errorf("write %s: %s sorts before it, and would still be selected: rename that file, or use --placement inline", own, path)
	}
	doc, a, err := readOriginal(path)
	if err != nil {
		return change{}, err
	}
	kept, err := r.entryOfOwn(own, path, record)
	if err != nil {
		return change{}, err
	}
	list := doc
	if filepath.Ext(path) != ".conflist" {
		if list, err = edit.FromConf(doc); err != nil {
			return change{}, fmt.Errorf("make a list of %s: %w", path, err)
		}
	}
	after, err := r.addGuard(path, list, firstEntry(kept, entryIn(list), r.lastEntry(record)))
	if err != nil {
		return change{}, err
	}
	c := newChange(own, path, list, after, a)
	return c, errors.Join(checkReplaceable(own), c.planWriteOver(own, after, a))
}

// sourceOfOwn returns the file that the runtime would select without the guard's own.
func (r Request) sourceOfOwn() (string, error) {
	v, err := r.newView(map[string][]byte{conflist.OwnFile: nil})
	if err != nil {
		return "", err
	}
	defer v.close()
	f, err := v.target(r.runtimeFor(v))
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w; the file was not changed: put the network plugin's file back, or run guardctl uninstall", conflist.OwnFile, err)
	}
	if err := r.checkPlacement(f); err != nil {
		return "", fmt.Errorf("%w, after guardctl uninstall", err)
	}
	return filepath.Join(r.Site.ConfDir, f.Name), nil
}

func readOriginal(path string) ([]byte, attributes, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, attributes{}, explain("read "+path, path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, attributes{}, explain("read "+path, path, err)
	}
	return doc, attributesOf(info), nil
}

// planWriteOver is planWrite for a file that may be missing, or have the content already.
func (c *change) planWriteOver(path string, after []byte, a attributes) error {
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("read "+path, path, err)
	}
	if err == nil && bytes.Equal(before, after) {
		c.files[filepath.Base(path)] = after
		return nil
	}
	if err != nil {
		before = nil
	}
	c.planWrite(path, before, after, a)
	return nil
}
