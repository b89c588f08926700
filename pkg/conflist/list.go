// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"encoding/json"
	"path/filepath"
	"time"
)

// A List is a file as libcni reads it.
type List struct {
	Name       string
	CNIVersion string
	// Plugins are in the order of ADD: the file's own, then those of drop-ins.
	Plugins []Plugin
	// Inlined is how many of Plugins are in the file itself.
	Inlined int
	// Single says that the file is no list, but holds the one plugin.
	Single bool
	// InlinedOnly is loadOnlyInlinedPlugins: drop-ins are not looked for.
	InlinedOnly bool
	ModTime     time.Time
}

// A Plugin is an entry of a list.
type Plugin struct {
	Type string
	// Raw is the entry as it stands in its file.
	Raw json.RawMessage
	// From is the drop-in file that has it, from the folder: "net/10-a.conf"; ""
	// for one in the file itself.
	DropIn string
}

// Read parses one file of a folder as go-cni and ocicni do by libcni v1.3.1:
// .conflist as a list with its drop-ins, others as a single plugin. It never
// waits, other than they, who hang on a pipe.
func Read(dir, name string) (List, error) {
	return read(dir, name, name, rulesOf(Containerd))
}

// rules are where the libraries of the runtimes differ.
type rules struct {
	// old is libcni v1.1.2: no cniVersions, no drop-ins, and plugins must be there.
	old bool
}

func rulesOf(k Kind) rules { return rules{old: k == CRIDockerd} }

// read reads a file of a folder as if it had a certain name.
func read(dir, file, name string, r rules) (List, error) {
	doc, modTime, err := readFile(filepath.Join(dir, file))
	if err != nil {
		return List{}, err
	}
	l, err := r.parse(doc, isList(name))
	l.ModTime = modTime
	if err == nil && isList(name) && !r.old {
		err = l.addDropIns(dir)
	}
	return l, err // what was read stands beside the error, for people
}

func (r rules) parse(doc []byte, list bool) (List, error) {
	if list {
		return r.parseList(doc)
	}
	return r.parseSingle(doc)
}

// describe tells of a file what was read of it.
func (l List) describe(name string) File {
	f := File{Name: name, Network: l.Name, CNIVersion: l.CNIVersion, ModTime: l.ModTime, Plugins: make([]string, len(l.Plugins))}
	for i, p := range l.Plugins {
		f.Plugins[i] = p.Type
		if p.DropIn != "" {
			f.DropIns = append(f.DropIns, p.DropIn)
		}
	}
	return f
}
