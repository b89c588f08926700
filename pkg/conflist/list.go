// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A List is a config file as libcni parses it.
type List struct {
	Name       string // of the network
	CNIVersion string
	// Plugins are in the order of ADD: first those of the file, then those of drop-ins.
	Plugins []Plugin
	// Inlined is how many of Plugins are in the file itself.
	Inlined int
	// Single reports that the file is no list, but a single plugin.
	Single bool
	// InlinedOnly is loadOnlyInlinedPlugins: drop-ins are ignored.
	InlinedOnly bool
	ModTime     time.Time
}

// A Plugin is an entry of a list.
type Plugin struct {
	Type string
	// Raw is the entry, byte for byte as in its file.
	Raw json.RawMessage
	// DropIn is the drop-in file of the entry, relative to the config directory:
	// "net/10-a.conf". It is "" for an entry of the file itself.
	DropIn string
}

// Types returns the types of the plugins in the order of ADD.
func (l List) Types() []string { return typesOf(l.Plugins) }

func typesOf(plugins []Plugin) []string {
	types := make([]string, len(plugins))
	for i, p := range plugins {
		types[i] = p.Type
	}
	return types
}

// Guarded reports whether the guard is among the plugins.
func (l List) Guarded() bool {
	return slices.ContainsFunc(l.Plugins, func(p Plugin) bool { return p.Type == GuardType })
}

// GuardEntry returns the entry of cni-guard, the last where there are two; nil where
// there is none.
func (l List) GuardEntry() json.RawMessage {
	for _, p := range slices.Backward(l.Plugins) {
		if p.Type == GuardType {
			return p.Raw
		}
	}
	return nil
}

// OnlyLoopback reports whether a list calls no plugin but loopback; see
// [File.OnlyLoopback].
func (l List) OnlyLoopback() bool { return onlyLoopback(l.Types()) }

// Multus reports whether a list calls Multus; see [File.Multus].
func (l List) Multus() bool {
	return slices.ContainsFunc(l.Plugins, func(p Plugin) bool { return isMultus(p.Type) })
}

// Difference returns how a list differs from the original that it was copied from, as
// "has …" or "calls …". It returns "" if pods get the same from both. The guard, the
// layout of the text and whether a file is a list or a single plugin do not count.
func (l List) Difference(original List) string {
	ours, theirs := l.unguarded(), original.unguarded()
	switch {
	case l.Name != original.Name:
		return fmt.Sprintf("has the network %q instead of %q", l.Name, original.Name)
	case !slices.Equal(typesOf(ours), typesOf(theirs)):
		return fmt.Sprintf("calls %s instead of %s", strings.Join(typesOf(ours), ", "), strings.Join(typesOf(theirs), ", "))
	case l.CNIVersion != original.CNIVersion:
		return fmt.Sprintf("has the cniVersion %q instead of %q", l.CNIVersion, original.CNIVersion)
	}
	for i := range ours {
		if !bytes.Equal(ours[i].settings(), theirs[i].settings()) {
			return fmt.Sprintf("has other settings for %s", ours[i].Type)
		}
	}
	return ""
}

// unguarded returns the plugins without the guard.
func (l List) unguarded() []Plugin {
	return slices.DeleteFunc(slices.Clone(l.Plugins), func(p Plugin) bool { return p.Type == GuardType })
}

// settings returns an entry in one canonical layout. It leaves out the name and the
// version, which libcni overwrites with those of the list, and which an entry that was
// a single plugin still has.
func (p Plugin) settings() []byte {
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
