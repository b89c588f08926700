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
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// planWithdrawal plans to remove the guard from every list of the config directory.
func (r Request) planWithdrawal(p *Plan, record *Record) ([]change, error) {
	paths, err := r.guardedLists()
	if err != nil {
		return nil, err
	}
	if record != nil && record.Edit.Aside != "" && exists(record.Edit.Aside) && !slices.Contains(paths, record.Edit.Path) {
		paths = append(paths, record.Edit.Path) // a killed restoration, or a list that was removed by hand
	}
	var changes []change
	for _, path := range paths {
		c, err := r.withdrawFrom(p, record, path)
		if err != nil {
			return nil, err
		}
		if len(c.steps) > 0 {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

func (r Request) withdrawFrom(p *Plan, record *Record, path string) (change, error) {
	c := change{files: map[string][]byte{}}
	if !exists(path) {
		return c, c.restore(record.Edit)
	}
	target, doc, a, err := readConf(path)
	if errors.Is(err, errOutsideConfDir) {
		err = fmt.Errorf("%w: remove the guard's entry from %s, or rm %s, and run this again", err, target, path)
	}
	if err != nil {
		return c, err
	}
	mine := record != nil && record.Edit.Path == target
	if filepath.Base(target) == conflist.OwnFile {
		return c, r.withdrawOwn(p, &c, record, target)
	}
	if mine && hash(doc) == record.Edit.After {
		err := c.revert(record.Edit, doc, a)
		c.alias(path, target)
		return c, err
	}
	without, err := edit.Remove(doc)
	if err != nil {
		return c, fmt.Errorf("edit %s: %w: remove the entry by hand (docs/install.md); nothing was changed", path, err)
	}
	switch {
	case !bytes.Equal(doc, without):
		c.planWrite(target, doc, without, a)
		c.alias(path, target)
		if mine {
			p.note("%s was changed since the guard was installed: only the guard is removed from it", path)
		}
	}
	if mine && record.Edit.Aside != "" && exists(record.Edit.Aside) {
		p.note("%s, from which %s was made, is not restored, because the list was changed since", record.Edit.Aside, path)
	}
	return c, nil
}

// revert plans to undo the installation.
func (c *change) revert(e Edit, doc []byte, a attributes) error {
	switch {
	case e.From == "":
		c.planWrite(e.Path, doc, e.Original, a) // keep the mode and owner, which may have been changed on purpose
	case exists(e.From):
		c.planRemove(e.Path, doc) // the network plugin wrote its own file again
		if aside, err := os.ReadFile(e.Aside); err == nil {
			c.planRemove(e.Aside, aside)
		}
	default:
		if err := c.restore(e); err != nil {
			return err
		}
		c.planRemove(e.Path, doc)
	}
	return checkReplaceable(filepath.Join(filepath.Dir(e.Path), "x"))
}

// restore plans to rename the single-plugin file back. Its list is removed afterwards, so
// that one of the two exists at every instant.
func (c *change) restore(e Edit) error {
	if !exists(e.Aside) || exists(e.From) {
		return nil
	}
	content, err := os.ReadFile(e.Aside)
	if err != nil {
		return explain("read "+e.Aside, e.Aside, err)
	}
	c.planRename(e.Aside, e.From, content)
	return nil
}

// withdrawOwn plans to remove the guard's own file, with or without a record, because it
// would take the place of its source forever. If no other file can replace it, the operator
// decides.
func (r Request) withdrawOwn(p *Plan, c *change, record *Record, own string) error {
	_, doc, a, err := readConf(own)
	if err != nil {
		return err
	}
	why := r.whyOwnMustStay(own, doc, record)
	if why == nil {
		c.planRemove(own, doc)
		return nil
	}
	if !r.Force {
		return fmt.Errorf("remove %s: %w; nothing was changed: put the network plugin's file back first, or run guardctl uninstall --force, which removes only the guard from the file", own, why)
	}
	without, err := edit.Remove(doc)
	if err != nil {
		return fmt.Errorf("edit %s: %w: remove the entry by hand (docs/install.md); nothing was changed", own, err)
	}
	c.planWrite(own, doc, without, a)
	p.note("%s stays, without the guard, and is still selected: %v; remove it once the right network is installed", own, why)
	return nil
}

// whyOwnMustStay returns why the guard's own file cannot be removed, nil if it can.
func (r Request) whyOwnMustStay(own string, doc []byte, record *Record) error {
	v, err := r.newView(map[string][]byte{conflist.OwnFile: nil})
	if err != nil {
		return err
	}
	defer v.close()
	f, err := v.target(r.runtimeFor(v))
	if err != nil {
		return fmt.Errorf("its source is gone, and the runtime would select nothing: %w", err)
	}
	l, err := conflist.Parse(conflist.OwnFile, doc)
	if err != nil {
		return err
	}
	if f.Network != l.Name {
		return fmt.Errorf("its source is gone, and pods would get network %q, of %s, instead of %q", f.Network, f.Name, l.Name)
	}
	return checkNoPluginLost(own, doc, filepath.Join(r.Site.ConfDir, f.Name), f.Plugins, record)
}

// entryOfOwn returns the guard's entry of its own file, which is kept when the file is
// written again; nil if there is none. It is an error if other plugins would be lost.
func (r Request) entryOfOwn(own, original string, record *Record) (json.RawMessage, error) {
	doc, err := os.ReadFile(own)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, explain("read "+own, own, err)
	}
	if isBroken(own) {
		if record != nil && record.Snapshot.Effective == conflist.OwnFile {
			return entryIn(record.Snapshot.Content), nil
		}
		return nil, nil
	}
	l, err := conflist.Read(filepath.Dir(original), filepath.Base(original))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", original, err)
	}
	var types []string
	for _, p := range l.Plugins {
		types = append(types, p.Type)
	}
	if err := checkNoPluginLost(own, doc, original, types, record); err != nil {
		return nil, fmt.Errorf("write %s: %w", own, err)
	}
	return entryIn(doc), nil
}

// checkNoPluginLost refuses to lose plugins that were added to the guard's own file.
// istio-cni adds itself to the first file that it finds.
func checkNoPluginLost(own string, doc []byte, original string, plugins []string, record *Record) error {
	without, err := edit.Remove(doc)
	if err == nil && record != nil && record.Edit.Path == own && hash(without) == record.Edit.Before {
		return nil
	}
	l, err := conflist.Parse(conflist.OwnFile, doc)
	if err != nil {
		return nil // incomplete or broken: there is nothing to keep
	}
	var more []string
	for _, p := range l.Plugins {
		if p.Type != conflist.GuardType && !slices.Contains(plugins, p.Type) {
			more = append(more, p.Type)
		}
	}
	if len(more) == 0 {
		return nil
	}
	return fmt.Errorf("it has the plugins %s, which were added to it and are not in %s: add them there first", strings.Join(more, ", "), original)
}
