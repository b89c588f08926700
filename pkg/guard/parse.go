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
// A check may have keys beside policy and repair, its options: options returns
// them for its name, each key with a pointer to decode the value into. The type
// of a value refuses what is out of range, in UnmarshalJSON. options may be nil
// and may return nil.
func ParseSettings(mode, checks json.RawMessage, names []string, options func(check string) map[string]any) (Settings, error) {
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
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf(`read "checks": check %s is unknown%s`, Quote(name), Suggest(name, names)))
			continue
		}
		var own map[string]any
		if options != nil {
			own = options(name)
		}
		setting, wrong := parseSetting(byName[name], own)
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

func parseSetting(raw json.RawMessage, options map[string]any) (Setting, []error) {
	var s Setting
	into := map[string]any{"policy": &s.Policy, "repair": &s.Repair}
	maps.Copy(into, options)
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return s, []error{fmt.Errorf(`want an object such as {"policy": "warn"}: %w`, err)}
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if err := parseKey(key, keys[key], into); err != nil {
			errs = append(errs, err)
		}
	}
	return s, errs
}

func parseKey(key string, raw json.RawMessage, into map[string]any) error {
	value := into[key]
	switch {
	case string(raw) == "null": // which Unmarshal takes for "leave it as it is"
		return fmt.Errorf("%s: want a value, not null", Quote(key))
	case value == nil:
		return fmt.Errorf("key %s is unknown%s", Quote(key), Suggest(key, slices.Sorted(maps.Keys(into))))
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("%q: %w", key, err)
	}
	return nil
}
