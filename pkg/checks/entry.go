// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// An Entry is the entry of cni-guard in a config file. The zero Entry is not valid;
// DefaultEntry returns the one of {"type": "cni-guard"}.
type Entry struct {
	Settings guard.Settings
	StateDir string        // for the ledger, events and marks
	CacheDir string        // the runtime's libcni cache; "": the usual directories
	ConfDir  string        // the runtime's conf dir; "": the usual directories
	HoldDown time.Duration // how long a finding must last before STATUS reports it
}

// DefaultStateDir is the state directory of an entry that names none.
const DefaultStateDir = "/run/cni-guard"

// DefaultEntry returns an entry whose values are all defaults.
func DefaultEntry() Entry {
	return Entry{StateDir: DefaultStateDir, HoldDown: 30 * time.Second}
}

// An EntryProblem is a key of an entry that cni-guard cannot use.
type EntryProblem struct {
	// Text names the key and says what is wrong with it, as in
	// `key "chekcs" is unknown; did you mean "checks"?`.
	Text string
	// Warning says that the key can be ignored. Any other problem refuses every ADD,
	// because the operator may rely on a protection that is not there.
	Warning bool
}

// EntryErrors returns the texts of the problems that refuse every ADD, joined by
// semicolons; "" where there are none.
func EntryErrors(problems []EntryProblem) string { return textOf(problems, false) }

// EntryWarnings returns the texts of the warnings, joined by semicolons; "" where
// there are none.
func EntryWarnings(problems []EntryProblem) string { return textOf(problems, true) }

func textOf(problems []EntryProblem, warning bool) string {
	var texts []string
	for _, p := range problems {
		if p.Warning == warning {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "; ")
}

// EntryKeys returns the keys that an operator may write into an entry.
func EntryKeys() []string {
	return []string{"mode", "checks", "stateDir", "cacheDir", "confDir", "statusHoldDown"}
}

// standardKeys returns the keys that an entry may have and that cni-guard ignores:
// those of the CNI spec 1.1.0 (section 1) for a plugin, and for a list, which a single
// plugin configuration may have as well; those that libcni adds; and those that Multus
// adds to every plugin of a network with a device (multus-cni, pkg/types/conf.go,
// addDeviceIDInConfList). Go's types.NetConf writes an empty "ipam" and "dns" into every
// entry.
func standardKeys() []string {
	return []string{
		"cniVersion", "name", "type", "capabilities", "runtimeConfig", "args", "ipMasq", "ipam", "dns", "prevResult",
		"cniVersions", "disableCheck", "disableGC", "loadOnlyInlinedPlugins", "plugins",
		"deviceID", "pciBusID",
	}
}

// EntryIn reads the entry of cni-guard in a list, the last where there are two. A list
// without one has the default entry, and isGuarded is false.
func EntryIn(l conflist.List) (e Entry, problems []EntryProblem, isGuarded bool) {
	raw := l.GuardEntry()
	if raw == nil {
		return DefaultEntry(), nil, false
	}
	e, problems = ParseEntry(raw)
	return e, problems, true
}

// ParseEntry reads an entry. A value that cannot be read keeps its default and is among
// the problems.
func ParseEntry(raw []byte) (Entry, []EntryProblem) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return DefaultEntry(), []EntryProblem{{Text: "want a JSON object: " + err.Error()}}
	}
	return ParseEntryKeys(keys)
}

// ParseEntryKeys is ParseEntry for an entry that was split into its keys. A null is the
// same as no value.
func ParseEntryKeys(keys map[string]json.RawMessage) (Entry, []EntryProblem) {
	e := DefaultEntry()
	var problems []EntryProblem
	report := func(key string, err error) {
		if err != nil {
			problems = append(problems, EntryProblem{Text: fmt.Sprintf("read %q: %v", key, err)})
		}
	}
	value := func(key string) json.RawMessage {
		if raw := keys[key]; string(raw) != "null" {
			return raw
		}
		return nil
	}
	for _, dir := range []struct {
		key string
		to  *string
	}{{"stateDir", &e.StateDir}, {"cacheDir", &e.CacheDir}, {"confDir", &e.ConfDir}} {
		report(dir.key, readDirPath(value(dir.key), dir.to))
	}
	if raw := value("statusHoldDown"); raw != nil {
		holdDown, err := guard.ParseDuration(raw)
		report("statusHoldDown", err)
		if err == nil {
			e.HoldDown = holdDown
		}
	}
	var err error
	e.Settings, err = guard.ParseSettings(value("mode"), value("checks"), declarations())
	for _, err := range joined(err) {
		problems = append(problems, EntryProblem{Text: err.Error()})
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if p := keyProblem(key); p.Text != "" {
			problems = append(problems, p)
		}
	}
	return e, problems
}

// readDirPath reads an absolute path. A relative one would depend on the working
// directory of the runtime.
func readDirPath(raw json.RawMessage, to *string) error {
	if raw == nil {
		return nil
	}
	var path string
	if err := json.Unmarshal(raw, &path); err != nil {
		return fmt.Errorf("want the path of a directory: %w", err)
	}
	if !strings.HasPrefix(path, "/") && path != *to { // "" is the default of two of them
		return fmt.Errorf("%s is not an absolute path", guard.Quote(path))
	}
	*to = path
	return nil
}

// joined returns the errors that errors.Join joined.
func joined(err error) []error {
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		return all.Unwrap()
	}
	return nil
}

// keyProblem returns the problem of a key's name; the zero EntryProblem means none. A
// key with a slash belongs to the owner of the domain before the slash.
func keyProblem(key string) EntryProblem {
	if slices.Contains(EntryKeys(), key) || slices.Contains(standardKeys(), key) || strings.Contains(key, "/") {
		return EntryProblem{}
	}
	// libcni finds the standard keys in any letter case, as encoding/json does.
	isKey := func(k string) bool { return strings.EqualFold(k, key) }
	if slices.ContainsFunc(standardKeys(), isKey) {
		return EntryProblem{}
	}
	if similar := guard.Similar(key, EntryKeys()); similar != "" {
		return EntryProblem{Text: fmt.Sprintf("key %s is unknown; did you mean %q?", guard.Quote(key), similar)}
	}
	below := append(Names(), "policy", "repair")
	if similar := guard.Similar(key, below); similar != "" {
		return EntryProblem{Text: fmt.Sprintf(`key %s is unknown here: %q belongs below "checks"`, guard.Quote(key), similar)}
	}
	return EntryProblem{Text: fmt.Sprintf("key %s is unknown and is ignored", guard.Quote(key)), Warning: true}
}

// A LoadedEntry is an entry of cni-guard in a file that the runtime loads, or that it
// loads once other files are removed.
type LoadedEntry struct {
	Path     string // of the file
	Entry    Entry
	Problems []EntryProblem
	// Later says that the runtime does not load the file now: it is the intended one, and
	// the runtime selects another, or none.
	Later bool

	dir     string // the conf dir that the runtime reads
	runtime conflist.Runtime
}

// LoadedEntries returns the entries of cni-guard in the selected file, in files that are
// attached beside it, in the file that a Multus among these delegates to, and in the
// intended file. Files that cannot be read are skipped.
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
		e := LoadedEntry{Path: path, Later: later, dir: s.Dir, runtime: s.Runtime}
		e.Entry, e.Problems = ParseEntry(p.Raw)
		all = append(all, e)
	}
	return all
}

// Findings returns what is wrong with the entry: errors, which refuse pods, a "confDir"
// that is not the runtime's, and, as a minor finding, keys without effect.
func (e LoadedEntry) Findings() []guard.Finding {
	var findings []guard.Finding
	if text := EntryErrors(e.Problems); text != "" {
		then := "no pod can start"
		if e.Later {
			then += " once the runtime selects the file"
		}
		findings = append(findings, guard.Finding{
			Object:  assess.QuoteName(e.Path),
			Problem: "has an entry of cni-guard that is not valid", Evidence: text, Impact: then,
			Remedy: "Correct the entry in " + assess.QuoteName(e.Path) + ", and in the template that the file is written from, if there is one. guardctl checks lists the checks; guardctl explain NAME lists the keys of a check.",
		})
	}
	if text := EntryWarnings(e.Problems); text != "" {
		findings = append(findings, guard.Finding{
			Object: assess.QuoteName(e.Path), Minor: true,
			Problem: "has keys in the entry of cni-guard that have no effect", Evidence: text,
			Remedy: "Remove them from " + assess.QuoteName(e.Path) + "; the keys are " + strings.Join(EntryKeys(), ", ") + ".",
		})
	}
	return append(findings, e.confDirFindings()...)
}

// confDirFindings returns what is wrong with the "confDir" of the entry: the checks of a
// call use it, whatever directory the runtime reads. The path may lack the root of the
// node, as it does where that is mounted below /host.
func (e LoadedEntry) confDirFindings() []guard.Finding {
	named, dir, files := e.Entry.ConfDir, e.dir, hostfs.Or(e.runtime.Files)
	if named == "" || files.Same(named, dir) || strings.HasSuffix(filepath.Clean(dir), filepath.Clean(named)) {
		return nil
	}
	how := "is another directory"
	if _, err := files.Stat(named); errors.Is(err, fs.ErrNotExist) {
		how = "does not exist"
	}
	return []guard.Finding{{
		Object:   assess.QuoteName(e.Path),
		Problem:  fmt.Sprintf("has \"confDir\": %q in the entry of cni-guard, which %s", named, how),
		Evidence: fmt.Sprintf("%s reads %s", e.runtime.Kind.DisplayName(), assess.QuoteName(dir)),
		Impact:   "the checks conflist and pod-cidr read the wrong directory when a pod starts",
		Remedy:   fmt.Sprintf("Set \"confDir\" to %q in the entry of cni-guard in %s, and in the template that the file is written from, if there is one.", dir, assess.QuoteName(e.Path)),
	}}
}
