// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Difference says in what a list is no longer the copy of another, as "has …" or
// "calls …", "" where they do the same but for the guard. The layout of their text
// does not count, nor that one is a single configuration and the other a list.
func (l List) Difference(original List) string {
	mine, its := l.unguarded(), original.unguarded()
	switch {
	case l.Name != original.Name:
		return fmt.Sprintf("has the network %q instead of %q", l.Name, original.Name)
	case !slices.Equal(typesOf(mine), typesOf(its)):
		return fmt.Sprintf("calls %s instead of %s", strings.Join(typesOf(mine), ", "), strings.Join(typesOf(its), ", "))
	case l.CNIVersion != original.CNIVersion:
		return fmt.Sprintf("has the cniVersion %q instead of %q", l.CNIVersion, original.CNIVersion)
	}
	for i := range mine {
		if !bytes.Equal(l.settings(mine[i]), original.settings(its[i])) {
			return fmt.Sprintf("has other settings for %s", mine[i].Type)
		}
	}
	return ""
}

// unguarded gives the plugins but the guard.
func (l List) unguarded() []Plugin {
	return slices.DeleteFunc(slices.Clone(l.Plugins), func(p Plugin) bool { return p.Type == GuardType })
}

// settings gives an entry in one layout, keys in order, without the name and the
// version: libcni overwrites them with those of the list. An entry that was made of a
// single configuration still has them.
func (l List) settings(p Plugin) []byte {
	var keys map[string]any
	d := json.NewDecoder(bytes.NewReader(p.Raw))
	d.UseNumber()
	if d.Decode(&keys) != nil {
		return p.Raw
	}
	delete(keys, "name")
	delete(keys, "cniVersion")
	doc, err := json.Marshal(keys)
	if err != nil {
		return p.Raw
	}
	return doc
}

func typesOf(plugins []Plugin) []string {
	types := make([]string, len(plugins))
	for i, p := range plugins {
		types[i] = p.Type
	}
	return types
}
