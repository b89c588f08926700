// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Settings configure all checks. With the zero value every check has its default policy
// and may repair.
type Settings struct {
	Audit  bool               // findings only warn, and nothing is repaired
	Checks map[string]Setting // by name; a check that is not listed keeps its defaults

	// Options are those of the checks that are listed; the others have their defaults.
	// OptionsOf returns those of one check.
	Options []Options
}

// A Setting configures one check. The zero value keeps the check's defaults.
type Setting struct {
	Policy Policy // zero: the check's default
	Repair *bool  // nil: repair where the check can
}

// policy returns the effective policy of a check.
func (s Settings) policy(name string, byDefault Policy) Policy {
	p := s.Checks[name].Policy
	if p == 0 {
		p = byDefault
	}
	if p == Enforce && s.Audit {
		p = Warn
	}
	return p
}

// mayRepair reports whether the operator lets a check repair what it finds.
func (s Settings) mayRepair(name string) bool {
	repair := s.Checks[name].Repair
	return !s.Audit && (repair == nil || *repair)
}

// ParseSettings reads the configuration's "mode" and "checks", either of which
// may be nil. An unknown mode, check, key or policy is an error that names the
// nearest valid one: a typo must not look like protection. The error joins all
// errors (errors.Join); the settings are then those that could be read, and the
// defaults for the rest.
//
// The declarations name the checks that there are, with their options.
func ParseSettings(mode, checks json.RawMessage, declared []Declaration) (Settings, error) {
	var s Settings
	var errs []error
	audit, err := parseMode(mode)
	if s.Audit = audit; err != nil {
		errs = append(errs, err)
	}
	if checks == nil {
		return s, errors.Join(errs...)
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(checks, &byName); err != nil {
		return s, errors.Join(append(errs, fmt.Errorf(`read "checks": want an object of check names: %w`, err))...)
	}
	s.Checks = make(map[string]Setting, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		at := slices.IndexFunc(declared, func(d Declaration) bool { return d.Name == name })
		if at < 0 {
			errs = append(errs, fmt.Errorf(`read "checks": check %s is unknown%s`, Quote(name), Suggest(name, namesOf(declared))))
			continue
		}
		var keys []Option
		if sample := declared[at].Options; sample != nil {
			options := NewOptions(sample)
			keys = options.Keys()
			s.Options = append(s.Options, options)
		}
		setting, wrong := parseSetting(byName[name], keys)
		for _, err := range wrong {
			errs = append(errs, fmt.Errorf(`read "checks": %q: %w`, name, err))
		}
		s.Checks[name] = setting
	}
	return s, errors.Join(errs...)
}

func parseMode(raw json.RawMessage) (audit bool, err error) {
	if raw == nil {
		return false, nil
	}
	var mode string
	if err := json.Unmarshal(raw, &mode); err != nil {
		return false, fmt.Errorf(`read "mode": want "enforce" or "audit": %w`, err)
	}
	modes := []string{"enforce", "audit"}
	if !slices.Contains(modes, mode) {
		return false, fmt.Errorf(`read "mode": %q is unknown%s`, mode, Suggest(mode, modes))
	}
	return mode == "audit", nil
}

func namesOf(declared []Declaration) []string {
	names := make([]string, len(declared))
	for i, d := range declared {
		names[i] = d.Name
	}
	return names
}

func parseSetting(raw json.RawMessage, options []Option) (Setting, []error) {
	var s Setting
	set := map[string]func(json.RawMessage) error{
		"policy": func(raw json.RawMessage) error { return json.Unmarshal(raw, &s.Policy) },
		"repair": func(raw json.RawMessage) error { return json.Unmarshal(raw, &s.Repair) },
	}
	for _, o := range options {
		set[o.Key] = o.Value.set
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return s, []error{fmt.Errorf(`want an object such as {"policy": "warn"}: %w`, err)}
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if err := parseKey(key, keys[key], set); err != nil {
			errs = append(errs, err)
		}
	}
	return s, errs
}

func parseKey(key string, raw json.RawMessage, set map[string]func(json.RawMessage) error) error {
	switch {
	case string(raw) == "null": // which Unmarshal ignores
		return fmt.Errorf("%s: want a value, not null", Quote(key))
	case set[key] == nil:
		return fmt.Errorf("key %s is unknown%s", Quote(key), Suggest(key, slices.Sorted(maps.Keys(set))))
	}
	if err := set[key](raw); err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	return nil
}

// Suggest returns a clause to append to the error about a misspelt word: the nearest valid
// word if one is near, or else all of them.
func Suggest(word string, valid []string) string {
	nearest, best := "", len(word)/2+1
	if len(word) <= maxQuoted { // no valid word is that long
		for _, v := range valid {
			if d := distance(word, v); d < best {
				nearest, best = v, d
			}
		}
	}
	if nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	return "; valid are " + strings.Join(valid, ", ")
}

// Similar returns the word of valid that a misspelt word was meant to be, and ""
// where none is near: it differs in letter case, hyphens or underscores only, or
// by one edit for each four letters (at least one). Two neighbouring letters that
// changed places are one edit.
func Similar(word string, valid []string) string {
	plain := plainWord(word)
	nearest, best := "", 0
	for _, v := range valid {
		want, allowed := plainWord(v), max(1, len(v)/4)
		if len(plain) > len(want)+allowed {
			continue // a long word takes no time
		}
		if d := distance(plain, want); d <= allowed && (nearest == "" || d < best) {
			nearest, best = v, d
		}
	}
	return nearest
}

// plainWord returns a word without what people write in different ways.
func plainWord(word string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(word))
}

// maxQuoted is the number of bytes of a word that messages repeat.
const maxQuoted = 64

// Quote quotes a word of a configuration for a message, and shortens it where it
// is very long.
func Quote(word string) string {
	if len(word) > maxQuoted {
		word = strings.ToValidUTF8(word[:maxQuoted], "") + "…"
	}
	return strconv.Quote(word)
}

// distance counts the single-byte edits between two words: substitutions,
// insertions, deletions, and two neighbours that changed places (optimal string
// alignment).
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
