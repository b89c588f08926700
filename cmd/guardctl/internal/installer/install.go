// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// Marker is the file beside the plugin that makes it let everything through. Its
// time of modification is that of the plugin's last call.
const Marker = checks.PassThroughMarker

// Install plans to put the programs and then the guard into place. Nothing is
// changed yet, and nothing will be if this fails.
func Install(r Request) (Plan, error) {
	var p Plan
	if err := r.resolve(); err != nil {
		return p, err
	}
	if err := r.open(); err != nil {
		return p, err
	}
	record, err := r.recorded()
	free := r.choosePlacement(record)
	if err == nil {
		err = errors.Join(r.ownRecord(), r.sameWay(record))
	}
	if err != nil {
		return p, err
	}
	now, err := p.choose(r, record)
	if err != nil {
		return p, fmt.Errorf("find the file to put the guard into: %w; nothing was changed", err)
	}
	if free && r.bookends(now) {
		r.Placement = Bookend
	}
	c, err := r.insert(now, record)
	if err != nil {
		return p, err
	}
	if err := c.finish(record); err != nil {
		return p, err
	}
	after, snapshot, err := r.foresee(&p, c, now)
	if err != nil {
		return p, err
	}
	fresh := &Record{Installed: time.Now(), Placement: r.Placement, Named: r.File != "" || record != nil && record.Named && record.Edit.Path == c.Path, Site: nodeOf(r.named), Edit: c.Edit, Snapshot: snapshot}
	if fresh.Programs, err = p.planPrograms(r, record); err != nil {
		return p, err
	}
	p.planRecord(r, record, fresh, len(c.steps) > 0)
	p.planMarker(r)
	p.Steps = append(p.Steps, c.steps...)
	p.warn(r, after, c.Edit)
	return p, nil
}

// remedy says what to do where no network is selected, unless the error does.
func remedy(err error) string {
	if strings.Contains(err.Error(), "until it is corrected") {
		return ""
	}
	return ": see to the network first"
}

// resolve makes the folders plain, and makes sure that they are there.
func (r *Request) resolve() error {
	if err := r.absolute(); err != nil {
		return err
	}
	for _, dir := range []string{r.Site.ConfDir, r.Site.BinDir} {
		if !isFolder(dir) {
			return fmt.Errorf("find folder %s: it does not exist, and guardctl does not create it: name the runtime's folders with --conf-dir and --bin-dir", dir)
		}
	}
	return nil
}

// absolute makes the folders plain.
func (r *Request) absolute() error {
	var err error
	r.named = r.Site
	if r.named.ConfDir, err = filepath.Abs(r.Site.ConfDir); err != nil {
		return fmt.Errorf("find folder %s: %w", r.Site.ConfDir, err)
	}
	for _, dir := range []*string{&r.Site.ConfDir, &r.Site.BinDir, &r.RecordDir} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return fmt.Errorf("find folder %s: %w", *dir, err)
		}
		*dir = resolved(abs) // runtimes follow links to folders as well
	}
	return nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// choosePlacement keeps to the placement of the installation that there is, where the
// operator says none. It reports whether nothing decided, so that it is Inline unless
// the file suits another.
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

// sameWay refuses a second way of installing beside the first.
func (r Request) sameWay(record *Record) error {
	if record != nil && record.Placement != r.Placement && guarded(record.Edit.Path) {
		return fmt.Errorf("install with placement %s: %s has the guard with placement %s: run guardctl uninstall first, and then this again; pods that start in between are not guarded", r.Placement, record.Edit.Path, record.Placement)
	}
	return nil
}

// open reads the programs to install, unless [Request.Enter] did.
func (r *Request) open() (err error) {
	if r.release == nil {
		r.release, err = OpenRelease(r.From)
	}
	return err
}

// effective gives the file into which the guard belongs once the changes are made.
func (r Request) effective(changes map[string][]byte) (target, error) {
	v, err := r.newView(changes)
	if err != nil {
		return target{}, err
	}
	defer v.close()
	return v.target(r.runtimeIn(v))
}

// finish plans what a conversion that was killed left undone: the list is there,
// and the file that it was made of as well.
func (c *change) finish(record *Record) error {
	if record == nil || record.Edit.Path != c.Path || record.Edit.From == "" {
		return nil
	}
	if c.From == "" { // the list was edited: what it was made of remains on record
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
		c.move(record.Edit.From, record.Edit.Aside, content)
	}
	return nil
}
