// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A LoadedEntry is an entry of cni-guard in a file that pods get.
type LoadedEntry struct {
	Path     string // of the file
	Entry    Entry
	Problems []EntryProblem
}

// LoadedEntries returns the entries of cni-guard in the files that a runtime loads
// from a conf dir: the selected one, those that are attached beside it, and the one
// that a Multus among them hands pods on to. A file that cannot be read has none.
// The error says that the folder cannot be read.
func LoadedEntries(dir string, r conflist.Runtime) ([]LoadedEntry, error) {
	s, err := conflist.Select(dir, r)
	if err != nil {
		return nil, err
	}
	var all []LoadedEntry
	for _, f := range s.Files {
		if f.Verdict != conflist.Selected && f.Verdict != conflist.Attached {
			continue
		}
		l, err := conflist.Look(dir, f.Name, r)
		if err != nil {
			continue
		}
		all = append(all, entriesOf(dir, f.Name, l)...)
		if !l.Multus() {
			continue
		}
		if name, delegate, err := conflist.Delegate(dir, l, r); err == nil {
			all = append(all, entriesOf(dir, name, delegate)...)
		}
	}
	return all, nil
}

func entriesOf(dir, name string, l conflist.List) []LoadedEntry {
	var all []LoadedEntry
	for _, p := range l.Plugins {
		if p.Type != conflist.GuardType {
			continue
		}
		path := filepath.Join(dir, name)
		if p.From != "" {
			path = filepath.Join(dir, p.From) // a drop-in
		}
		e := LoadedEntry{Path: path}
		e.Entry, e.Problems = ParseEntry(p.Raw)
		all = append(all, e)
	}
	return all
}

// Findings returns what is wrong with the entry: what refuses pods, and, as a
// minor finding, keys that have no effect.
func (e LoadedEntry) Findings() []guard.Finding {
	var findings []guard.Finding
	if text := EntryErrors(e.Problems); text != "" {
		findings = append(findings, guard.Finding{
			Object:  assess.Shown(e.Path),
			Problem: "has an entry of cni-guard that is not valid, so that no pod can start: " + text,
			Remedy:  "Put it right in " + assess.Shown(e.Path) + ", and in the template that the file is written from, if there is one; guardctl checks lists the checks, guardctl explain NAME the keys of one.",
		})
	}
	if text := EntryWarnings(e.Problems); text != "" {
		findings = append(findings, guard.Finding{
			Object: assess.Shown(e.Path), Minor: true,
			Problem: "has keys in the entry of cni-guard that have no effect: " + text,
			Remedy:  "Remove them from " + assess.Shown(e.Path) + "; the keys are " + strings.Join(EntryKeys(), ", ") + ".",
		})
	}
	return findings
}

// folderFindings returns what is wrong with the "confDir" of the entry: the checks
// of a call look there, whatever folder the runtime reads. A path may lack the root
// of the node, as it does where that is mounted below /host.
func (e LoadedEntry) folderFindings(dir string, kind conflist.Kind) []guard.Finding {
	named := e.Entry.ConfDir
	if named == "" || sameFolder(named, dir) || strings.HasSuffix(filepath.Clean(dir), filepath.Clean(named)) {
		return nil
	}
	how := "is another folder"
	if _, err := os.Stat(named); errors.Is(err, fs.ErrNotExist) {
		how = "does not exist"
	}
	return []guard.Finding{{
		Object: assess.Shown(e.Path),
		Problem: fmt.Sprintf("has \"confDir\": %q in the entry of cni-guard, which %s; %s reads %s, and the checks conflist and pod-cidr do not look there when a pod starts",
			named, how, assess.Title(kind), assess.Shown(dir)),
		Remedy: fmt.Sprintf("Set \"confDir\" to %q in the entry of cni-guard in %s, and in the template that the file is written from, if there is one.", dir, assess.Shown(e.Path)),
	}}
}
