// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// ParseSettings reads the configuration's "mode" and "checks", either of which
// may be nil. An unknown mode, check, key or policy is an error that names the
// nearest valid one: a typo must not look like protection.
//
// The keys that a check has beside policy and repair, its options, are what
// options gives for its name: each key with a pointer to decode the value into.
// A value that is out of range is for its type to refuse, in UnmarshalJSON.
// options may be nil, and so may what it gives.
func ParseSettings(mode, checks json.RawMessage, names []string, options func(check string) map[string]any) (Settings, error) {
	var s Settings
	var err error
	if s.Audit, err = parseMode(mode); err != nil || checks == nil {
		return s, err
	}
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(checks, &byName); err != nil {
		return s, fmt.Errorf(`read "checks": want an object of check names: %w`, err)
	}
	s.Checks = make(map[string]Setting, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if !slices.Contains(names, name) {
			return s, fmt.Errorf(`read "checks": check %q is unknown%s`, name, Suggest(name, names))
		}
		var own map[string]any
		if options != nil {
			own = options(name)
		}
		if s.Checks[name], err = parseSetting(byName[name], own); err != nil {
			return s, fmt.Errorf(`read "checks": %q: %w`, name, err)
		}
	}
	return s, nil
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

func parseSetting(raw json.RawMessage, options map[string]any) (Setting, error) {
	var s Setting
	into := map[string]any{"policy": &s.Policy, "repair": &s.Repair}
	maps.Copy(into, options)
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return s, fmt.Errorf(`want an object such as {"policy": "warn"}: %w`, err)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if string(keys[key]) == "null" { // which Unmarshal takes for "leave it as it is"
			return s, fmt.Errorf("%q: want a value, not null", key)
		}
		value := into[key]
		if value == nil {
			return s, fmt.Errorf("key %q is unknown%s", key, Suggest(key, slices.Sorted(maps.Keys(into))))
		}
		if err := json.Unmarshal(keys[key], value); err != nil {
			return s, fmt.Errorf("%q: %w", key, err)
		}
	}
	return s, nil
}
