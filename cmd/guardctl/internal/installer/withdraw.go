// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/edit"
)

// withdraw plans to take the guard out of every list of the conf dir.
func (r Request) withdraw(p *Plan, record *Record) ([]change, error) {
	paths, err := r.listed()
	if err != nil {
		return nil, err
	}
	if record != nil && record.Edit.Aside != "" && exists(record.Edit.Aside) && !contains(paths, record.Edit.Path) {
		paths = append(paths, record.Edit.Path) // a restoration that was killed, or a list that somebody removed
	}
	var changes []change
	for _, path := range paths {
		c, err := r.withdrawOne(p, record, path)
		if err != nil {
			return nil, err
		}
		if len(c.steps) > 0 {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

func contains(paths []string, path string) bool {
	for _, p := range paths {
		if p == path {
			return true
		}
	}
	return false
}

func (r Request) withdrawOne(p *Plan, record *Record, path string) (change, error) {
	c := change{files: map[string][]byte{}}
	if !exists(path) {
		return c, c.restore(record.Edit)
	}
	target, doc, a, err := readConf(path)
	if errors.Is(err, errOutside) {
		err = fmt.Errorf("%w: take the guard's entry out of %s, or rm %s, and run this again", err, target, path)
	}
	if err != nil {
		return c, err
	}
	mine := record != nil && record.Edit.Path == target
	if filepath.Base(target) == conflist.OwnFile {
		return c, r.withdrawOwn(p, &c, record, target)
	}
	if mine && hash(doc) == record.Edit.After {
		err := c.asBefore(record.Edit, doc, a)
		c.alias(path, target)
		return c, err
	}
	without, err := edit.Remove(doc)
	if err != nil {
		return c, fmt.Errorf("edit %s: %w: take the entry out by hand (docs/install.md); nothing was changed", path, err)
	}
	switch {
	case !bytes.Equal(doc, without):
		c.rewrite(target, doc, without, a)
		c.alias(path, target)
		if mine {
			p.note("%s was changed since the guard was installed: only the guard is taken out of it", path)
		}
	}
	if mine && record.Edit.Aside != "" && exists(record.Edit.Aside) {
		p.note("%s, of which %s was made, stays where it is, for the list was changed since", record.Edit.Aside, path)
	}
	return c, nil
}

// asBefore plans to make things as they were before the installation.
func (c *change) asBefore(e Edit, doc []byte, a attributes) error {
	switch {
	case e.From == "":
		c.rewrite(e.Path, doc, e.Original, a) // mode and owner may have been changed on purpose
	case exists(e.From):
		c.drop(e.Path, doc) // the primary plugin wrote its single configuration again
		if aside, err := os.ReadFile(e.Aside); err == nil {
			c.drop(e.Aside, aside)
		}
	default:
		if err := c.restore(e); err != nil {
			return err
		}
		c.drop(e.Path, doc)
	}
	return mayReplace(filepath.Join(filepath.Dir(e.Path), "x"))
}

// restore plans to put the single configuration back. Its list goes afterwards:
// at every instant one of the two is there.
func (c *change) restore(e Edit) error {
	if !exists(e.Aside) || exists(e.From) {
		return nil
	}
	content, err := os.ReadFile(e.Aside)
	if err != nil {
		return explain("read "+e.Aside, e.Aside, err)
	}
	c.move(e.Aside, e.From, content)
	return nil
}
