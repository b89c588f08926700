// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Upgrade plans to replace the programs that are installed by those of a folder,
// one rename each: a call runs the old one or the new one. No configuration is
// touched.
func Upgrade(r Request) (Plan, error) {
	var p Plan
	if err := r.resolve(); err != nil {
		return p, err
	}
	record, err := readIfAny(r.RecordDir)
	if err != nil {
		return p, err
	}
	if to := filepath.Join(r.Site.BinDir, plugin); !exists(to) {
		return p, fmt.Errorf("upgrade %s: it is not there: run guardctl install, or say --bin-dir", to)
	}
	programs := map[string]Program{}
	var replaced []program
	for _, b := range r.installed() {
		before := len(p.Steps)
		if programs[b.to], err = p.planProgram(b); err != nil {
			return p, err
		}
		if len(p.Steps) > before {
			replaced = append(replaced, b)
		}
	}
	p.tryFirst(replaced)
	p.planProgramsRecord(r, record, programs)
	return p, nil
}

// tryFirst plans to try all programs before the first one is replaced: half an
// upgrade would leave a plugin and a guardctl of two versions. Each is tried again
// where it comes to stay.
func (p *Plan) tryFirst(programs []program) {
	if len(programs) < 2 {
		return
	}
	all := Step{Does: fmt.Sprintf("try the %d programs of %s", len(programs), filepath.Dir(programs[0].from)), do: func() error {
		for _, b := range programs {
			if err := b.try(); err != nil {
				return err
			}
		}
		return nil
	}}
	p.Steps = slices.Insert(p.Steps, 0, all)
}

// planProgramsRecord plans to write down which programs there are then, also where
// an upgrade was killed right before.
func (p *Plan) planProgramsRecord(r Request, record *Record, programs map[string]Program) {
	if record == nil {
		return
	}
	fresh := *record
	fresh.Programs = maps.Clone(record.Programs)
	for path, now := range programs {
		now.Replaced, now.Kept = record.Programs[path].Replaced, record.Programs[path].Kept
		fresh.Programs[path] = now
	}
	if !record.same(&fresh) {
		p.step(func() error { return fresh.write(r.RecordDir) }, "write down in %s what is installed", recordPath(r.RecordDir))
	}
}

// installed gives the programs that are to be replaced: guardctl before the
// plugin that calls it, and the loopback plugin where it is ours.
func (r Request) installed() []program {
	programs := []program{r.program(guardctl, r.Site.BinDir), r.program(plugin, r.Site.BinDir)}
	for _, dir := range r.Site.Runtime.BinDirs {
		if path := filepath.Join(dir, loopback); ours(path, loopback) {
			programs = append(programs, r.program(loopback, dir))
		}
	}
	return programs
}
