// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parseList is libcni's NetworkConfFromBytes. Keys of the list are exact; of a
// key that is there twice the last counts.
func (r rules) parseList(doc []byte) (l List, err error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(doc, &top); err != nil {
		return l, wrong(doc, err)
	}
	if err := numbersFit(doc); err != nil {
		return l, err
	}
	if _, ok := top["name"]; !ok {
		return l, errors.New("it has no name")
	}
	if l.Name, err = text(top, "name"); err != nil {
		return l, err
	}
	if l.CNIVersion, err = text(top, "cniVersion"); err != nil {
		return l, err
	}
	if r.old {
		err = oldFlags(top)
	} else {
		err = l.readFlags(top)
	}
	if err != nil {
		return l, err
	}
	if raw, ok := top["plugins"]; ok {
		err = l.addEntries(raw, r)
		return l, err
	}
	if r.old || l.InlinedOnly {
		return l, errors.New("it has no plugins")
	}
	return l, nil // they may be drop-ins
}

// addEntries appends the plugins of the list itself.
func (l *List) addEntries(raw json.RawMessage, r rules) error {
	if raw[0] != '[' {
		return fmt.Errorf("plugins is %s, not a list", kindOf(raw))
	}
	var entries []json.RawMessage
	if err := json.Unmarshal(raw, &entries); err != nil {
		return fmt.Errorf("parse plugins: %w", err)
	}
	if len(entries) == 0 {
		return errors.New("its list of plugins is empty")
	}
	l.Plugins = make([]Plugin, 0, len(entries)+1) // room for a drop-in
	for i, entry := range entries {
		conf, err := r.parseEntry(entry)
		if err != nil {
			return fmt.Errorf("parse plugin %d of %d: %w", i+1, len(entries), err)
		}
		l.Plugins = append(l.Plugins, Plugin{Type: conf.Type, Raw: entry})
	}
	l.Inlined = len(entries)
	return nil
}

// readFlags reads what libcni decides by, in its order. The two that nobody here
// needs can make the file invalid all the same.
func (l *List) readFlags(top map[string]json.RawMessage) (err error) {
	if l.CNIVersion, err = highest(top, l.CNIVersion); err != nil {
		return err
	}
	for _, key := range []string{"disableCheck", "disableGC"} {
		if _, err := flag(top, key); err != nil {
			return err
		}
	}
	l.InlinedOnly, err = flag(top, "loadOnlyInlinedPlugins")
	return err
}

// oldFlags is what libcni v1.1.2 refuses; the other flags it does not know.
func oldFlags(top map[string]json.RawMessage) error {
	if raw, ok := top["disableCheck"]; ok && raw[0] != 't' && raw[0] != 'f' {
		return fmt.Errorf("disableCheck is %s, not true or false", kindOf(raw))
	}
	return nil
}

// text gives a string, "" where the key is not there.
func text(top map[string]json.RawMessage, key string) (s string, err error) {
	raw, ok := top[key]
	if !ok {
		return "", nil
	}
	if raw[0] != '"' {
		return "", fmt.Errorf("%s is %s, not a string", key, kindOf(raw))
	}
	err = json.Unmarshal(raw, &s)
	return s, err
}

// flag gives a boolean, which libcni takes as a string as well.
func flag(top map[string]json.RawMessage, key string) (bool, error) {
	raw, ok := top[key]
	if !ok {
		return false, nil
	}
	value := string(raw)
	if raw[0] == '"' {
		s, err := text(top, key)
		if err != nil {
			return false, err
		}
		value = strings.ToLower(s)
	}
	switch value {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is %s, not true or false", key, raw)
}
