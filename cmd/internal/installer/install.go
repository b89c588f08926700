// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// Marker is the file beside the plugin that makes it pass every call through. Its
// modification time is that of the plugin's last call.
const Marker = checks.PassThroughMarker

// Install plans to install the programs and then to insert the guard. It changes nothing.
func Install(r Request) (Plan, error) {
	var p Plan
	if err := r.resolveDirs(); err != nil {
		return p, err
	}
	if err := r.openPrograms(); err != nil {
		return p, err
	}
	record, err := r.recordOfSite()
	free := r.choosePlacement(record)
	if err == nil {
		err = errors.Join(r.checkRecordDir(), r.checkSamePlacement(record))
	}
	if err != nil {
		return p, err
	}
	now, err := p.chooseFile(r, record)
	if err != nil {
		return p, fmt.Errorf("find the file to put the guard into: %w; nothing was changed", err)
	}
	if free && r.suggestsBookend(now) {
		r.Placement = Bookend
	}
	c, err := r.insert(now, record)
	if err != nil {
		return p, err
	}
	if len(c.steps) > 0 {
		if err := checkKeepsOwner(c.Path, attributes{c.Mode, c.UID, c.GID}); err != nil {
			return p, err
		}
	}
	if err := c.finishConversion(record); err != nil {
		return p, err
	}
	after, snapshot, err := r.checkResult(&p, c, now)
	if err != nil {
		return p, err
	}
	fresh := &Record{Installed: time.Now(), Placement: r.Placement, Named: r.File != "" || record != nil && record.Named && record.Edit.Path == c.Path, Site: nodeOf(r.siteAsNamed), Edit: c.Edit, Snapshot: snapshot}
	if fresh.Programs, err = p.planPrograms(r, record); err != nil {
		return p, err
	}
	p.planRecord(r, record, fresh, len(c.steps) > 0)
	p.planMarker(r)
	p.Steps = append(p.Steps, c.steps...)
	p.warnOfFile(r, after, c.Edit)
	return p, nil
}

// remedy returns what to do if no network is selected, unless the error says so.
func remedy(err error) string {
	if strings.Contains(err.Error(), "until it is corrected") {
		return ""
	}
	return ": fix the network first"
}

// resolveDirs resolves the paths of the directories, and checks that they exist.
func (r *Request) resolveDirs() error {
	if err := r.makeAbsolute(); err != nil {
		return err
	}
	for _, dir := range []string{r.Site.ConfDir, r.Site.BinDir} {
		if !isDir(dir) {
			return fmt.Errorf("find directory %s: it does not exist, and guardctl does not create it: name the runtime's directories with --conf-dir and --bin-dir", dir)
		}
	}
	return nil
}

// makeAbsolute makes the paths of the directories absolute, and resolves their links.
func (r *Request) makeAbsolute() error {
	var err error
	r.siteAsNamed = r.Site
	if r.siteAsNamed.ConfDir, err = filepath.Abs(r.Site.ConfDir); err != nil {
		return fmt.Errorf("find directory %s: %w", r.Site.ConfDir, err)
	}
	for _, dir := range []*string{&r.Site.ConfDir, &r.Site.BinDir, &r.RecordDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return fmt.Errorf("find directory %s: %w", *dir, err)
		}
		*dir = resolveLinks(abs) // runtimes follow such links, too
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// choosePlacement sets the placement to that of the present installation if the operator
// names none. It reports whether there is none either, so that the file decides.
func (r *Request) choosePlacement(record *Record) (free bool) {
	switch {
	case r.Placement != "":
	case record != nil && !exists(r.marker()): // the marker says that uninstall was run
		r.Placement = record.Placement
	default:
		r.Placement, free = Inline, true
	}
	return free
}

// checkSamePlacement refuses to install with another placement than before.
func (r Request) checkSamePlacement(record *Record) error {
	if record != nil && record.Placement != r.Placement && hasGuardEntry(record.Edit.Path) {
		return fmt.Errorf("install with placement %s: %s has the guard with placement %s: run guardctl uninstall first, and then this again; pods that start in between are not guarded", r.Placement, record.Edit.Path, record.Placement)
	}
	return nil
}

// openRelease reads the programs to install, unless [Request.Enter] did.
func (r *Request) openRelease() (err error) {
	if r.release == nil {
		r.release, err = OpenRelease(r.From)
	}
	return err
}

// openPrograms reads the programs to install or, if only the config file is to be edited,
// makes sure that the plugin is there.
func (r *Request) openPrograms() error {
	if !r.ConfOnly {
		return r.openRelease()
	}
	if path := filepath.Join(r.Site.BinDir, plugin); !exists(path) {
		return fmt.Errorf("insert the guard: %s does not exist, and no pod could start: run guardctl install", path)
	}
	return nil
}

// selectedTarget returns the file into which the guard belongs after the changes.
func (r Request) selectedTarget(changes map[string][]byte) (target, error) {
	v, err := r.newView(changes)
	if err != nil {
		return target{}, err
	}
	defer v.close()
	return v.target(r.runtimeFor(v))
}

// finishConversion plans the rest of a conversion that was killed: the list exists, and so
// does the file that it was made from.
func (c *change) finishConversion(record *Record) error {
	if record == nil || record.Edit.Path != c.Path || record.Edit.From == "" {
		return nil
	}
	if c.From == "" { // the list was edited; its source stays on record
		c.Edit = Edit{
			Path: c.Path, From: record.Edit.From, Aside: record.Edit.Aside, Original: record.Edit.Original, Before: record.Edit.Before,
			After: c.After, Mode: c.Mode, UID: c.UID, GID: c.GID,
		}
	}
	content, err := os.ReadFile(record.Edit.From)
	if errors.Is(err, fs.ErrNotExist) || c.Aside == "" || slices.Contains(keys(c.files), filepath.Base(record.Edit.From)) {
		return nil
	}
	if err != nil {
		return explain("read "+record.Edit.From, record.Edit.From, err)
	}
	if hash(content) == record.Edit.Before {
		c.planRename(record.Edit.From, record.Edit.Aside, content)
	}
	return nil
}

// planPrograms plans to install the programs, guardctl before the plugin that calls it.
func (p *Plan) planPrograms(r Request, record *Record) (map[string]Program, error) {
	programs := map[string]Program{}
	if record != nil {
		maps.Copy(programs, record.Programs)
	}
	if r.ConfOnly {
		return programs, nil
	}
	note := func(path string, fresh Program) {
		if old, ok := programs[path]; ok && fresh.Replaced == "" || old.SHA256 == fresh.SHA256 && ok {
			fresh.Replaced = old.Replaced
		}
		programs[path] = fresh
	}
	wanted, err := r.programsToInstall()
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

// programsToInstall returns the programs for the plugin directory of any node, in the
// order of installation.
func (r Request) programsToInstall() ([]program, error) {
	var all []program
	for _, name := range []string{guardctl, plugin} {
		b, err := r.program(name, r.Site.BinDir)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	if b := r.release.loopback(); b != nil {
		all = append(all, program{b, filepath.Join(r.Site.BinDir, ownLoopbackName)})
	}
	return all, nil
}

// planRecord plans to write the record before the edit.
func (p *Plan) planRecord(r Request, old, fresh *Record, edits bool) {
	if !edits && old.same(fresh) {
		return
	}
	p.step(func() error {
		if err := os.MkdirAll(r.RecordDir, 0o700); err != nil {
			return explain("create record directory "+r.RecordDir, r.RecordDir, err)
		}
		return fresh.write(r.RecordDir)
	}, "record in %s what uninstall needs", recordPath(r.RecordDir))
}

// planMarker plans to remove the marker of an uninstall from each directory in which the
// runtime may find the plugin.
func (p *Plan) planMarker(r Request) {
	for _, dir := range append([]string{r.Site.BinDir}, r.Site.Runtime.BinDirs...) {
		marker := filepath.Join(resolveLinks(dir), Marker)
		if exists(marker) && !slices.ContainsFunc(p.Steps, func(s Step) bool { return strings.Contains(s.Does, marker) }) {
			p.step(func() error { return remove(marker) }, "remove %s, so that the plugin guards again", marker)
		}
	}
}

func keys(m map[string][]byte) []string { return slices.Collect(maps.Keys(m)) }
