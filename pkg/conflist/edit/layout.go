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

// A layout is the positions of the plugins in a document.
type layout struct {
	doc     []byte
	list    conflist.List
	open    int    // the index after the opening bracket of the plugins
	entries []span // the plugins
}

// A span is an entry, doc[from:to].
type span struct {
	from, to int
	guard    bool // whether it is the guard's
}

// parseLayout finds the plugins of a list. The error says why it cannot be edited.
func parseLayout(doc []byte) (layout, error) {
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
		return l, errors.New(`it has no "plugins" of its own, only drop-ins in the directory with the name of the network, which run after those of the file: move them into the file first`)
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
	return l, l.compareParsers()
}

// compareParsers compares the result of gjson with that of libcni's rules.
func (l layout) compareParsers() error {
	same := len(l.entries) == len(l.list.Plugins)
	for i := 0; same && i < len(l.entries); i++ {
		raw := l.doc[l.entries[i].from:l.entries[i].to]
		same = bytes.Equal(raw, l.list.Plugins[i].Raw) && l.entries[i].guard == (l.list.Plugins[i].Type == conflist.GuardType)
	}
	if !same {
		return errors.New("two parsers read it differently: rewrite it, for example with 'jq .'")
	}
	return nil
}

// topLevel returns the plugins of a list, and refuses keys that two parsers could read
// differently.
func topLevel(doc []byte) (plugins gjson.Result, err error) {
	seen := map[string]bool{}
	gjson.ParseBytes(doc).ForEach(func(key, value gjson.Result) bool {
		name, unescapeErr := unquote(key.Raw)
		switch {
		case unescapeErr != nil:
			err = fmt.Errorf("parse key %s: %w", key.Raw, unescapeErr)
		case seen[name]:
			err = fmt.Errorf("it has the key %q twice; some parsers use the first and some the last: remove the wrong one", name)
		case name == "plugins" && strings.Contains(key.Raw, `\`):
			err = fmt.Errorf(`it spells the key "plugins" with escapes, as %s: write it without`, key.Raw)
		case name == "plugins":
			plugins = value
		}
		seen[name] = true
		return err == nil
	})
	return plugins, err
}

// isGuard reports whether an entry is the guard's. Parsers ignore the case of the key, and
// use one of several. If there are several, one of them the guard's, it returns an error.
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

// separator returns the text between two entries of this list: the comma with the white
// space around it. If there is one entry only, the white space before it is used.
func (l layout) separator() []byte {
	n := len(l.entries)
	if n > 1 {
		return bytes.Clone(l.doc[l.entries[n-2].to:l.entries[n-1].from])
	}
	before := l.doc[l.open:l.entries[0].from]
	if bytes.ContainsAny(before, "\n\r") {
		return append([]byte(","), before...)
	}
	return append([]byte(","), l.spaceAfterComma()...)
}

// spaceAfterComma returns the white space after the commas of a list on one line.
func (l layout) spaceAfterComma() string {
	blank, found := " ", false
	end := -1 // of the value before
	gjson.ParseBytes(l.doc).ForEach(func(key, value gjson.Result) bool {
		if end >= 0 && !found {
			between := string(l.doc[end:key.Index])
			_, after, _ := strings.Cut(between, ",")
			if !strings.ContainsAny(after, "\n\r") {
				blank, found = after, true
			}
		}
		end = value.Index + len(value.Raw)
		return !found
	})
	return blank
}

// style formats an entry like its neighbor: on one line, or on several with the
// indentation and the line ends of the list.
func (l layout) style(entry []byte) []byte {
	last := l.entries[len(l.entries)-1]
	like := l.doc[last.from:last.to]
	var b bytes.Buffer
	if !bytes.Contains(like, []byte("\n")) {
		// Compact and Indent fail only for invalid JSON.
		if l.isDense(like) {
			_ = json.Compact(&b, entry)
			return b.Bytes()
		}
		return spaced(entry)
	}
	outer, inner := indentation(like)
	_ = json.Indent(&b, bytes.TrimSpace(entry), outer, strings.TrimPrefix(inner, outer))
	if bytes.Contains(like, []byte("\r\n")) {
		return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))
	}
	return b.Bytes()
}

// indentation returns that of the line that closes an object, and that of its first key.
func indentation(object []byte) (outer, inner string) {
	lines := strings.Split(string(object), "\n")
	outer, inner = leadingSpace(lines[len(lines)-1]), leadingSpace(lines[1])
	if !strings.HasPrefix(inner, outer) || inner == outer {
		inner = outer + "  "
	}
	return outer, inner
}

func leadingSpace(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// isDense reports whether an object on one line has no space after its colons.
func (l layout) isDense(object []byte) bool {
	key := gjson.ParseBytes(object)
	dense := true
	key.ForEach(func(k, v gjson.Result) bool {
		dense = k.Index+len(k.Raw)+1 == v.Index
		return false
	})
	return dense
}

// spaced formats an entry on one line, with a space after each colon and comma.
func spaced(entry []byte) []byte {
	var b bytes.Buffer
	_ = json.Indent(&b, bytes.TrimSpace(entry), "", "")
	lines := strings.Split(b.String(), "\n")
	var out strings.Builder
	for i, line := range lines {
		out.WriteString(line)
		if i+1 < len(lines) && strings.HasSuffix(line, ",") {
			out.WriteString(" ")
		}
	}
	return []byte(out.String())
}
