// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// newEntry returns the guard's entry for a site: {"type": "cni-guard"}, and what the guard
// cannot find out by itself. That always includes the config directory: the guard would
// search the usual directories for its network, and might find an old file. It does not
// include CRI-O's default network, which the guard reads from CRI-O's configuration.
func (r Request) newEntry() ([]byte, error) {
	e := struct {
		Type     string         `json:"type"`
		Mode     string         `json:"mode,omitempty"`
		ConfDir  string         `json:"confDir"`
		CacheDir string         `json:"cacheDir,omitempty"`
		Checks   map[string]any `json:"checks,omitempty"`
	}{Type: conflist.GuardType, Mode: r.Mode}
	e.ConfDir = r.siteAsNamed.ConfDir // not resolved: microk8s changes this link
	if !slices.Contains(release.CacheDirs(), r.Site.CacheDir) {
		e.CacheDir = r.Site.CacheDir
	}
	options := map[string]any{}
	if run := r.Site.Runtime; run.Kind == conflist.Containerd && run.MaxConfNum != 1 {
		options["maxConfNum"] = max(0, run.MaxConfNum)
	}
	if len(r.Allow) > 0 {
		options["allow"] = r.Allow
	}
	if len(options) > 0 {
		e.Checks = map[string]any{"conflist": options}
	}
	doc, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write entry of the guard: %w", err)
	}
	return doc, nil
}

// entryIn returns the guard's entry of a list, nil if there is none, or if the list cannot
// be parsed.
func entryIn(doc []byte) json.RawMessage {
	l, err := conflist.Parse("x.conflist", doc)
	if err != nil {
		return nil
	}
	return l.GuardEntry()
}

// lastEntry returns the entry that the list of the present installation had when it was last
// seen with one, nil if there is no installation. A network plugin that rewrites its file
// removes the entry, and a default one in its place would change what the guard does: one in
// audit mode would refuse pods from then on.
func (r Request) lastEntry(record *Record) json.RawMessage {
	switch {
	case r.LastEntry != nil:
		return r.LastEntry
	case record == nil || record.Snapshot.Effective != filepath.Base(record.Edit.Path) || exists(r.marker()):
		return nil // not installed, or uninstalled, which keeps the record as long as the plugin
	}
	return entryIn(record.Snapshot.Content)
}

// firstEntry returns the first entry that is there, nil if there is none.
func firstEntry(entries ...json.RawMessage) json.RawMessage {
	for _, e := range entries {
		if e != nil {
			return e
		}
	}
	return nil
}

// updateEntry returns the existing entry of the guard with the changes of the command, or
// a new entry if kept is nil. Without changes the bytes stay the same.
func (r Request) updateEntry(kept json.RawMessage) ([]byte, error) {
	if kept == nil {
		return r.newEntry()
	}
	entry := []byte(kept)
	if now := gjson.GetBytes(kept, "mode").String(); r.Mode != "" && r.Mode != now && !(r.Mode == "enforce" && now == "") {
		entry = setKey(entry, "mode", []byte(`"`+r.Mode+`"`))
	}
	return r.addAllowed(entry)
}

// addAllowed adds the patterns that the entry does not allow yet.
func (r Request) addAllowed(entry []byte) ([]byte, error) {
	if len(r.Allow) == 0 {
		return entry, nil
	}
	var keys struct {
		Checks map[string]json.RawMessage `json:"checks"`
	}
	options := map[string]json.RawMessage{}
	var allow []string
	err := json.Unmarshal(entry, &keys)
	if err == nil && keys.Checks["conflist"] != nil {
		err = json.Unmarshal(keys.Checks["conflist"], &options)
	}
	if err == nil && options["allow"] != nil {
		err = json.Unmarshal(options["allow"], &allow)
	}
	if err != nil {
		return nil, fmt.Errorf("allow a file: %w: add it by hand to checks.conflist.allow of the guard's entry", err)
	}
	fresh := slices.DeleteFunc(slices.Clone(r.Allow), func(p string) bool { return slices.Contains(allow, p) })
	if len(fresh) == 0 {
		return entry, nil
	}
	if keys.Checks == nil {
		keys.Checks = map[string]json.RawMessage{}
	}
	if options["allow"], err = json.Marshal(append(allow, fresh...)); err != nil {
		return nil, err
	}
	if keys.Checks["conflist"], err = json.Marshal(options); err != nil {
		return nil, err
	}
	checks, err := json.Marshal(keys.Checks)
	return setKey(entry, "checks", checks), err
}

// setKey sets a key of an object. All other bytes stay.
func setKey(object []byte, key string, value []byte) []byte {
	if old := gjson.GetBytes(object, key); old.Exists() && old.Index > 0 {
		return slices.Concat(object[:old.Index], value, object[old.Index+len(old.Raw):])
	}
	end := bytes.LastIndexByte(object, '}')
	body := bytes.TrimRight(object[:end], " \t\r\n")
	return slices.Concat(body, []byte(`,"`+key+`":`), value, object[len(body):])
}

// A Placement is the position of the guard's entry.
type Placement string

// The placements.
const (
	Inline  Placement = "inline"  // last in the effective file
	Own     Placement = "own"     // last in the guard's own file, a copy of the effective file that sorts before it
	Bookend Placement = "bookend" // first and last in the effective file
)

// Placements returns all placements, the default first; but see suggestsBookend.
func Placements() []string { return []string{string(Inline), string(Own), string(Bookend)} }

// Set parses a placement; with it a Placement is a flag.
func (p *Placement) Set(word string) error {
	if !slices.Contains(Placements(), word) {
		return fmt.Errorf("%q is none of %s", word, strings.Join(Placements(), ", "))
	}
	*p = Placement(word)
	return nil
}

// String returns the word of the flag.
func (p *Placement) String() string { return string(*p) }

// Type returns the name of the value in the help.
func (p *Placement) Type() string { return "placement" }

// suggestsBookend reports whether bookend is the default: the runtime passes
// /proc/PID/ns/net, so that ADD may get the node's namespace, and the primary plugin is
// known to accept a result. A file with the guard stays as it is.
func (r Request) suggestsBookend(t target) bool {
	if r.Site.Runtime.Kind != conflist.CRIDockerd || t.multus != "" || slices.Contains(t.Plugins, "cni-guard") {
		return false
	}
	l, err := conflist.Read(r.Site.ConfDir, t.Name)
	return err == nil && len(l.Plugins) > 0 && acceptsResult(l.Plugins[0])
}

// acceptsResult reports whether a primary plugin is known to work after a plugin that
// prints an empty result. Of the reference plugins v1.9.1, ptp, bridge and macvlan ignore
// the result on ADD; ipvlan searches it for its master unless its entry names one.
func acceptsResult(p conflist.Plugin) bool {
	switch p.Type {
	case "ptp", "bridge", "macvlan":
		return true
	case "ipvlan":
		var entry struct{ Master string }
		return json.Unmarshal(p.Raw, &entry) == nil && entry.Master != ""
	}
	return false
}
