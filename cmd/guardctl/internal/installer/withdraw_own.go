// SPDX-License-Identifier: Apache-2.0

package installer

import (
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

// withdrawOwn plans to remove the guard's own file, whether or not there is a
// record of it: a copy that stayed would win over its original for ever. Where
// nothing is there to take over the operator decides.
func (r Request) withdrawOwn(p *Plan, c *change, record *Record, own string) error {
	_, doc, a, err := readConf(own)
	if err != nil {
		return err
	}
	why := r.outlived(own, doc, record)
	if why == nil {
		c.drop(own, doc)
		return nil
	}
	if !r.Force {
		return fmt.Errorf("remove %s: %w; nothing was changed: put the primary plugin's file back first, or run guardctl uninstall --force, which takes the guard out of the file and keeps the rest", own, why)
	}
	without, err := edit.Remove(doc)
	if err != nil {
		return fmt.Errorf("edit %s: %w: take the entry out by hand (docs/install.md); nothing was changed", own, err)
	}
	c.rewrite(own, doc, without, a)
	p.note("%s stays, without the guard, and still wins: %v; remove it once the network that is to be is there", own, why)
	return nil
}

// outlived says why the guard's own file cannot go without loss.
func (r Request) outlived(own string, doc []byte, record *Record) error {
	v, err := r.newView(map[string][]byte{conflist.OwnFile: nil})
	if err != nil {
		return err
	}
	defer v.close()
	f, err := v.target(r.runtimeIn(v))
	if err != nil {
		return fmt.Errorf("it has outlived the list that it is a copy of, and the runtime would select nothing: %w", err)
	}
	l, err := conflist.Parse(conflist.OwnFile, doc)
	if err != nil {
		return err
	}
	if f.Network != l.Name {
		return fmt.Errorf("it has outlived the list that it is a copy of, and pods would get network %q, of %s, instead of %q", f.Network, f.Name, l.Name)
	}
	return asMade(own, doc, filepath.Join(r.Site.ConfDir, f.Name), f.Plugins, record)
}

// keptOfOwn gives the guard's entry of its own file, which stays when the file is
// made anew; nil where there is none. What others put into the file would be lost.
func (r Request) keptOfOwn(own, original string, record *Record) (json.RawMessage, error) {
	doc, err := os.ReadFile(own)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, explain("read "+own, own, err)
	}
	if broken(own) {
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
	if err := asMade(own, doc, original, types, record); err != nil {
		return nil, fmt.Errorf("write %s: %w", own, err)
	}
	return entryIn(doc), nil
}

// asMade refuses to lose plugins that somebody put into the guard's own file,
// as istio-cni does with the first file that it finds.
func asMade(own string, doc []byte, original string, plugins []string, record *Record) error {
	without, err := edit.Remove(doc)
	if err == nil && record != nil && record.Edit.Path == own && hash(without) == record.Edit.Before {
		return nil
	}
	l, err := conflist.Parse(conflist.OwnFile, doc)
	if err != nil {
		return nil // half written or broken: there is nothing to keep
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
	return fmt.Errorf("it has %s, which somebody put there and %s has not: put that there first", strings.Join(more, ", "), original)
}
