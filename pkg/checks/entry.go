// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// An Entry is what the entry of cni-guard in a network configuration says. The
// zero Entry is of no use; DefaultEntry is what {"type": "cni-guard"} means.
type Entry struct {
	Settings guard.Settings
	StateDir string        // ledger and events
	CacheDir string        // the runtime's libcni cache; "": where runtimes usually have it
	ConfDir  string        // the runtime's conf dir; "": one of the usual folders
	HoldDown time.Duration // how long a finding stands before STATUS reports it
}

// DefaultStateDir is the state directory of an entry that names none.
const DefaultStateDir = "/run/cni-guard"

// DefaultEntry returns what an entry without any key of ours means.
func DefaultEntry() Entry {
	return Entry{StateDir: DefaultStateDir, HoldDown: 30 * time.Second}
}

// An EntryProblem is a key of an entry that cni-guard cannot use.
type EntryProblem struct {
	// Text names the key and says what is wrong with it, as in
	// `key "chekcs" is unknown; did you mean "checks"?`.
	Text string
	// Warning says that the key can be ignored. Any other problem refuses every ADD:
	// the operator may believe in a protection that is not there.
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

// standardKeys returns the keys that an entry may have and that cni-guard does not
// read: those of the CNI spec 1.1.0 (section 1) for a plugin, and for a list, which
// a single configuration may have beside them; those that libcni adds; and those
// that Multus adds to every plugin of a network that has a device (multus-cni,
// pkg/types/conf.go, addDeviceIDInConfList). Go's types.NetConf writes an empty
// "ipam" and "dns" into every entry that passes through it.
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

// ParseEntry reads an entry. What cannot be read keeps its default, and is among
// the problems.
func ParseEntry(raw []byte) (Entry, []EntryProblem) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return DefaultEntry(), []EntryProblem{{Text: "want a JSON object: " + err.Error()}}
	}
	return ParseEntryKeys(keys)
}

// ParseEntryKeys is ParseEntry for an entry whose keys were separated before. A
// null is the same as no value.
func ParseEntryKeys(keys map[string]json.RawMessage) (Entry, []EntryProblem) {
	e := DefaultEntry()
	var problems []EntryProblem
	wrong := func(key string, err error) {
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
		wrong(dir.key, readFolder(value(dir.key), dir.to))
	}
	if raw := value("statusHoldDown"); raw != nil {
		holdDown, err := guard.ParseDuration(raw)
		wrong("statusHoldDown", err)
		if err == nil {
			e.HoldDown = holdDown
		}
	}
	var err error
	e.Settings, err = guard.ParseSettings(value("mode"), value("checks"), declarations())
	for _, err := range parts(err) {
		problems = append(problems, EntryProblem{Text: err.Error()})
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if p := judgeKey(key); p.Text != "" {
			problems = append(problems, p)
		}
	}
	return e, problems
}

// readFolder reads an absolute path. A relative one would depend on where the
// runtime was started.
func readFolder(raw json.RawMessage, to *string) error {
	if raw == nil {
		return nil
	}
	var path string
	if err := json.Unmarshal(raw, &path); err != nil {
		return fmt.Errorf("want the path of a folder: %w", err)
	}
	if !strings.HasPrefix(path, "/") && path != *to { // "" is the default of two of them
		return fmt.Errorf("%s is no absolute path", guard.Quote(path))
	}
	*to = path
	return nil
}

// parts returns the errors that errors.Join joined.
func parts(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return nil
}

// judgeKey returns what is wrong with a key, judged by its name; the zero
// EntryProblem where nothing is. A key with a slash belongs to whoever owns the
// domain before it.
func judgeKey(key string) EntryProblem {
	if slices.Contains(EntryKeys(), key) || slices.Contains(standardKeys(), key) || strings.Contains(key, "/") {
		return EntryProblem{}
	}
	// libcni finds the standard keys in any letter case, as encoding/json does.
	isKey := func(k string) bool { return strings.EqualFold(k, key) }
	if slices.ContainsFunc(standardKeys(), isKey) {
		return EntryProblem{}
	}
	if meant := guard.Similar(key, EntryKeys()); meant != "" {
		return EntryProblem{Text: fmt.Sprintf("key %s is unknown; did you mean %q?", guard.Quote(key), meant)}
	}
	below := append(Names(), "policy", "repair")
	if meant := guard.Similar(key, below); meant != "" {
		return EntryProblem{Text: fmt.Sprintf(`key %s is unknown here: %q belongs below "checks"`, guard.Quote(key), meant)}
	}
	return EntryProblem{Text: fmt.Sprintf("key %s is unknown and is ignored", guard.Quote(key)), Warning: true}
}
