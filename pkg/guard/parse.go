// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

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
	case string(raw) == "null": // which Unmarshal takes for "leave it as it is"
		return fmt.Errorf("%s: want a value, not null", Quote(key))
	case set[key] == nil:
		return fmt.Errorf("key %s is unknown%s", Quote(key), Suggest(key, slices.Sorted(maps.Keys(set))))
	}
	if err := set[key](raw); err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	return nil
}
