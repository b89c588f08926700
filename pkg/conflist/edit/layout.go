// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A layout is where things are in a document.
type layout struct {
	doc     []byte
	list    conflist.List
	open    int    // the place behind the bracket that opens the plugins
	entries []span // the plugins
}

// A span is a plugin: doc[from:to].
type span struct {
	from, to int
	guard    bool // it is the guard's
}

// lay finds the plugins of a conflist. The error names what is not to be edited.
func lay(doc []byte) (layout, error) {
	list, err := conflist.Parse("x.conflist", doc)
	if err != nil {
		return layout{}, err
	}
	l := layout{doc: doc, list: list}
	plugins, err := topLevel(doc)
	if err != nil {
		return l, err
	}
	if !plugins.Exists() {
		return l, errors.New(`it has no "plugins" of its own, only drop-ins in the folder that is named like the network, and those run behind whatever is in the file: move them into the file first`)
	}
	l.open = plugins.Index + 1
	plugins.ForEach(func(_, entry gjson.Result) bool {
		s := span{from: entry.Index, to: entry.Index + len(entry.Raw)}
		if s.guard, err = isGuard(entry); err != nil {
			err = fmt.Errorf("plugin %d of the list: %w", len(l.entries)+1, err)
			return false
		}
		l.entries = append(l.entries, s)
		return true
	})
	if err != nil {
		return l, err
	}
	return l, l.agree()
}

// agree compares what gjson found with what libcni's rules did.
func (l layout) agree() error {
	same := len(l.entries) == len(l.list.Plugins)
	for i := 0; same && i < len(l.entries); i++ {
		raw := l.doc[l.entries[i].from:l.entries[i].to]
		same = bytes.Equal(raw, l.list.Plugins[i].Raw) && l.entries[i].guard == (l.list.Plugins[i].Type == conflist.GuardType)
	}
	if !same {
		return errors.New("two parsers read it in two ways: write it anew, by jq . for example")
	}
	return nil
}

// topLevel gives the plugins of a list, and refuses keys that two parsers could
// take for different ones.
func topLevel(doc []byte) (plugins gjson.Result, err error) {
	seen := map[string]bool{}
	gjson.ParseBytes(doc).ForEach(func(key, value gjson.Result) bool {
		name, unescapeErr := unquote(key.Raw)
		switch {
		case unescapeErr != nil:
			err = fmt.Errorf("parse key %s: %w", key.Raw, unescapeErr)
		case seen[name]:
			err = fmt.Errorf("it has the key %q twice, of which some parsers take the first and others the last: remove the one that is wrong", name)
		case name == "plugins" && strings.Contains(key.Raw, `\`):
			err = fmt.Errorf(`it spells the key "plugins" with escapes, as %s: write it plainly`, key.Raw)
		case name == "plugins":
			plugins = value
		}
		seen[name] = true
		return err == nil
	})
	return plugins, err
}

// isGuard tells whether an entry is the guard's. Parsers fold the key, and take
// one of several; where it is there more than once nobody is to guess.
func isGuard(entry gjson.Result) (guard bool, err error) {
	types := 0
	entry.ForEach(func(key, value gjson.Result) bool {
		name, unescapeErr := unquote(key.Raw)
		if unescapeErr != nil || !strings.EqualFold(name, "type") {
			return true
		}
		types++
		guard = guard || value.String() == conflist.GuardType
		return true
	})
	if guard && types > 1 {
		return false, fmt.Errorf("it has the key \"type\" %d times, and one says %s: remove the others", types, conflist.GuardType)
	}
	return guard, nil
}

func unquote(raw string) (name string, err error) {
	err = json.Unmarshal([]byte(raw), &name)
	return name, err
}
