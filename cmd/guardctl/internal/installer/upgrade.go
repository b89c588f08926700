// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Upgrade plans to replace the programs that are installed by those of a release,
// one rename each: a call runs the old one or the new one. No configuration is
// touched. Where a configuration names the guard and the plugin is missing, it is
// put there.
func Upgrade(r Request) (Plan, error) {
	var p Plan
	if err := r.resolve(); err != nil {
		return p, err
	}
	if err := r.open(); err != nil {
		return p, err
	}
	record, err := readIfAny(r.RecordDir)
	if err != nil {
		return p, err
	}
	if to := filepath.Join(r.Site.BinDir, plugin); !exists(to) && len(namedIn(r.Site.ConfDir, conflist.Loadable)) == 0 {
		return p, fmt.Errorf("upgrade %s: it is not there, and no configuration of %s names it: run guardctl install, or say --bin-dir", to, r.named.ConfDir)
	}
	wanted, err := r.installed(&p)
	if err != nil {
		return p, err
	}
	programs := map[string]Program{}
	var replaced []program
	for _, b := range wanted {
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
	if exists(r.marker()) {
		p.note("%s is there, of a guardctl uninstall: until guardctl install is run the plugin lets everything through", r.marker())
	}
	return p, nil
}

// tryFirst plans to try all programs before the first one is replaced: half an
// upgrade would leave a plugin and a guardctl of two versions. Each is tried again
// where it comes to stay.
func (p *Plan) tryFirst(programs []program) {
	if len(programs) < 2 {
		return
	}
	all := Step{Does: fmt.Sprintf("try the %d programs of %s", len(programs), filepath.Dir(programs[0].path)), do: func() error {
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

// installed returns the programs that are to be there: guardctl before the plugin
// that calls it, and the loopback plugin where it is ours.
func (r Request) installed(p *Plan) ([]program, error) {
	programs, err := r.wanted()
	if err != nil {
		return nil, err
	}
	for _, dir := range r.Site.Runtime.BinDirs {
		path := filepath.Join(dir, lo)
		is, err := ours(path)
		switch b := r.release.loopback(); {
		case err != nil:
			return nil, err
		case is && b == nil:
			p.note("%s stays as it is: there is no loopback plugin of cni-guard in %s", path, r.release.dir)
		case is:
			programs = append(programs, program{b, path})
		}
	}
	return programs, nil
}
