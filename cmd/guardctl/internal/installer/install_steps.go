// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// planPrograms plans the programs: guardctl before the plugin that calls it.
func (p *Plan) planPrograms(r Request, record *Record) (map[string]Program, error) {
	programs := map[string]Program{}
	if record != nil {
		maps.Copy(programs, record.Programs)
	}
	note := func(path string, fresh Program) {
		if old, ok := programs[path]; ok && fresh.Replaced == "" || old.SHA256 == fresh.SHA256 && ok {
			fresh.Replaced = old.Replaced
		}
		programs[path] = fresh
	}
	wanted, err := r.wanted()
	if err != nil {
		return nil, err
	}
	for _, b := range wanted {
		entry, err := p.planProgram(b)
		if err != nil {
			return nil, err
		}
		note(b.to, entry)
	}
	if r.Loopback {
		path, entry, err := p.planLoopback(r)
		if err != nil {
			return nil, err
		}
		note(path, entry)
	}
	return programs, nil
}

// wanted returns the programs that belong into the folder of plugins on any node, in
// the order in which they are put there.
func (r Request) wanted() ([]program, error) {
	var all []program
	for _, name := range []string{guardctl, plugin} {
		b, err := r.program(name, r.Site.BinDir)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	if b := r.release.loopback(); b != nil {
		all = append(all, program{b, filepath.Join(r.Site.BinDir, ownLo)})
	}
	return all, nil
}

// planRecord plans to write down what will be done, before the edit.
func (p *Plan) planRecord(r Request, old, fresh *Record, edits bool) {
	if !edits && old.same(fresh) {
		return
	}
	p.step(func() error {
		if err := os.MkdirAll(r.RecordDir, 0o700); err != nil {
			return explain("make folder of the record "+r.RecordDir, r.RecordDir, err)
		}
		return fresh.write(r.RecordDir)
	}, "write down in %s what uninstall needs", recordPath(r.RecordDir))
}

// planMarker plans to let the plugin work again where an uninstall was begun: in each
// folder in which the runtime may find it.
func (p *Plan) planMarker(r Request) {
	for _, dir := range append([]string{r.Site.BinDir}, r.Site.Runtime.BinDirs...) {
		marker := filepath.Join(resolved(dir), Marker)
		if exists(marker) && !slices.ContainsFunc(p.Steps, func(s Step) bool { return strings.Contains(s.Does, marker) }) {
			p.step(func() error { return remove(marker) }, "remove %s, so that the plugin guards again", marker)
		}
	}
}

func keys(m map[string][]byte) []string { return slices.Collect(maps.Keys(m)) }
