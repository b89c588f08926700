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

// A LoadedEntry is an entry of cni-guard in a file that pods get, or are to get.
type LoadedEntry struct {
	Path     string // of the file
	Entry    Entry
	Problems []EntryProblem
	// Later says that pods do not get the file now: it is the intended one, and the
	// runtime takes another, or none.
	Later bool

	dir  string // the conf dir that the runtime reads
	kind conflist.Kind
}

// LoadedEntries returns the entries of cni-guard in the files that the runtime loads:
// the selected one, those that are attached beside it, and the one that a Multus among
// them hands pods on to; and in the intended file, which pods get once a rogue is gone.
// A file that cannot be read has none.
func LoadedEntries(a assess.Assessment) []LoadedEntry {
	dir, r := a.Selection.Dir, a.Selection.Runtime
	var all []LoadedEntry
	seen := map[string]bool{}
	add := func(name string, l conflist.List, later bool) {
		if !seen[name] {
			seen[name] = true
			all = append(all, entriesOf(a.Selection, name, l, later)...)
		}
	}
	for _, f := range a.Selection.Files {
		if f.Verdict != conflist.Selected && f.Verdict != conflist.Attached {
			continue
		}
		l, err := conflist.ReadAs(dir, f.Name, r)
		if err != nil {
			continue
		}
		add(f.Name, l, false)
		if !l.Multus() {
			continue
		}
		if name, delegate, err := conflist.DelegateFile(dir, l, r); err == nil {
			add(name, delegate, false)
		}
	}
	if a.Intended != "" {
		l, _ := conflist.ReadAs(dir, a.Intended, r) // also of a file that the runtime refuses
		add(a.Intended, l, true)
	}
	return all
}

func entriesOf(s conflist.Selection, name string, l conflist.List, later bool) []LoadedEntry {
	var all []LoadedEntry
	for _, p := range l.Plugins {
		if p.Type != conflist.GuardType {
			continue
		}
		path := s.Path(name)
		if p.DropIn != "" {
			path = s.Path(p.DropIn) // a drop-in
		}
		e := LoadedEntry{Path: path, Later: later, dir: s.Dir, kind: s.Runtime.Kind}
		e.Entry, e.Problems = ParseEntry(p.Raw)
		all = append(all, e)
	}
	return all
}

// Findings returns what is wrong with the entry: what refuses pods, a "confDir" that
// is not the folder of the runtime, and, as a minor finding, keys that have no effect.
func (e LoadedEntry) Findings() []guard.Finding {
	var findings []guard.Finding
	if text := EntryErrors(e.Problems); text != "" {
		then := "so that no pod can start"
		if e.Later {
			then += " once the runtime takes the file"
		}
		findings = append(findings, guard.Finding{
			Object:  assess.QuoteName(e.Path),
			Problem: "has an entry of cni-guard that is not valid, " + then + ": " + text,
			Remedy:  "Correct the entry in " + assess.QuoteName(e.Path) + ", and in the template that the file is written from, if there is one; guardctl checks lists the checks, and guardctl explain NAME the keys of a check.",
		})
	}
	if text := EntryWarnings(e.Problems); text != "" {
		findings = append(findings, guard.Finding{
			Object: assess.QuoteName(e.Path), Minor: true,
			Problem: "has keys in the entry of cni-guard that have no effect: " + text,
			Remedy:  "Remove them from " + assess.QuoteName(e.Path) + "; the keys are " + strings.Join(EntryKeys(), ", ") + ".",
		})
	}
	return append(findings, e.folderFindings()...)
}

// folderFindings returns what is wrong with the "confDir" of the entry: the checks
// of a call look there, whatever folder the runtime reads. A path may lack the root
// of the node, as it does where that is mounted below /host.
func (e LoadedEntry) folderFindings() []guard.Finding {
	named, dir := e.Entry.ConfDir, e.dir
	if named == "" || sameFolder(named, dir) || strings.HasSuffix(filepath.Clean(dir), filepath.Clean(named)) {
		return nil
	}
	how := "is another folder"
	if _, err := os.Stat(named); errors.Is(err, fs.ErrNotExist) {
		how = "does not exist"
	}
	return []guard.Finding{{
		Object: assess.QuoteName(e.Path),
		Problem: fmt.Sprintf("has \"confDir\": %q in the entry of cni-guard, which %s; %s reads %s, and the checks conflist and pod-cidr do not look there when a pod starts",
			named, how, e.kind.DisplayName(), assess.QuoteName(dir)),
		Remedy: fmt.Sprintf("Set \"confDir\" to %q in the entry of cni-guard in %s, and in the template that the file is written from, if there is one.", dir, assess.QuoteName(e.Path)),
	}}
}
