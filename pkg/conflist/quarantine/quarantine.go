// SPDX-License-Identifier: Apache-2.0

// Package quarantine hides a config file from runtimes without losing it: it renames the
// file within its directory to a name that no runtime loads, with a record beside it
// that says when, why and by whom. Restore undoes that.
//
// The file stays in its directory because containerd notices a rename there at once, but
// a file that is moved out of it, or into it, only later (cni_conf_syncer.go acts on
// Rename, Remove and Write, not on Create). The directory itself is never changed:
// containerd exits when it is removed or renamed (containerd#10646).
//
// Wherever it is interrupted, the file has one of its two names, and the record is
// complete or missing. Running it again overwrites what an interrupted run left, and
// completes it.
package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// Put renames a file of the directory so that no runtime loads it, and writes a record
// beside it. For a file that is in quarantine already it returns that record. The error
// names the file and the remedy. Nothing was changed then, unless the directory could
// not be synced.
func Put(dir, name string, n Note) (Record, error) {
	r, err := put(dir, name, n)
	if err != nil {
		return r, fmt.Errorf("put %s in quarantine: %w", filepath.Join(dir, name), err)
	}
	return r, nil
}

func put(dir, name string, n Note) (r Record, err error) {
	if err := checkName(name); err != nil {
		return r, err
	}
	d, err := open(dir)
	if err != nil {
		return r, err
	}
	defer d.close()
	r, err = describe(d.file(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.finishPut(name)
	case err != nil:
		return r, d.explain(name, err)
	}
	if err := d.checkMovable(name); err != nil {
		return r, err
	}
	r.File, r.Quarantined, r.When, r.Why, r.UID = name, d.freeName(name), n.When.UTC(), n.Why, n.UID
	return r, d.move(r)
}

// move writes the record first, because a file without one has no history.
func (d *confDir) move(r Record) error {
	if err := d.write(r); err != nil {
		return d.explain(r.File, fmt.Errorf("write record: %w", err))
	}
	if err := d.rename(r.File, r.Quarantined); err != nil {
		return errors.Join(d.explain(r.File, err), ignoreMissing(os.Remove(d.record(r.Quarantined))))
	}
	return d.sync()
}

// checkName refuses anything but the name of a file that runtimes load.
func checkName(name string) error {
	switch {
	case name != filepath.Base(name) || strings.ContainsRune(name, filepath.Separator):
		return errors.New("it is not the name of a file in the directory")
	case !conflist.Loadable(name):
		return errors.New("no runtime loads a file of that name, because it does not end in .conf, .conflist or .json: it can stay")
	}
	return nil
}

// freeName returns the first unused name in quarantine.
func (d *confDir) freeName(name string) string {
	n := 1
	for d.exists(nameIn(name, n)) {
		n++
	}
	return nameIn(name, n)
}

// finishPut completes a Put that may have been interrupted.
func (d *confDir) finishPut(name string) (Record, error) {
	all, err := d.list()
	if err != nil {
		return Record{}, err
	}
	var latest Record
	for _, r := range all {
		if r.File == name && (latest.File == "" || r.When.After(latest.When)) {
			latest = r
		}
	}
	if latest.File == "" {
		return latest, fmt.Errorf("%w, neither in the directory nor in quarantine: guardctl conf lists the files", fs.ErrNotExist)
	}
	return latest, d.sync()
}

// Restore returns a file its name back and forgets the record. The name is either
// the one that it had or the one in quarantine. A file that has that name by now
// is not overwritten, and one that is no longer as it was when it was quarantined is
// refused, unless forced. A file that is back already is success.
func Restore(dir, name string, force bool) (Record, error) {
	r, err := restore(dir, name, force)
	if err != nil {
		return r, fmt.Errorf("restore %s: %w", filepath.Join(dir, name), err)
	}
	return r, nil
}

func restore(dir, name string, force bool) (r Record, err error) {
	d, err := open(dir)
	if err != nil {
		return r, err
	}
	defer d.close()
	r, err = d.find(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.finishRestore(name, err)
	}
	if err == nil {
		err = d.checkRestore(r, force)
	}
	if err != nil {
		return r, err
	}
	if err := d.rename(r.Quarantined, r.File); err != nil {
		return r, d.explain(r.Quarantined, err)
	}
	if err := d.sync(); err != nil {
		return r, err
	}
	return r, d.removeRecord(r.Quarantined)
}

// find returns the only file in quarantine with a name.
func (d *confDir) find(name string) (Record, error) {
	all, err := d.list()
	if err != nil {
		return Record{}, err
	}
	var found []Record
	var names []string
	for _, r := range all {
		if r.Quarantined == name {
			return r, nil
		}
		if r.File == name {
			found, names = append(found, r), append(names, r.Quarantined)
		}
	}
	switch len(found) {
	case 0:
		return Record{}, fmt.Errorf("%w in quarantine: guardctl conf list shows the files there", fs.ErrNotExist)
	case 1:
		return found[0], nil
	}
	return Record{}, fmt.Errorf("there are %d files of that name in quarantine: name one of %s", len(found), strings.Join(names, ", "))
}

// finishRestore completes a Restore of which only the record is left to remove.
func (d *confDir) finishRestore(name string, notFound error) (Record, error) {
	quarantined := name
	if conflist.Loadable(name) {
		quarantined = nameIn(name, 1)
		for n := 2; d.exists(nameIn(name, n) + recordSuffix); n++ {
			quarantined = nameIn(name, n)
		}
	}
	r := d.read(quarantined)
	if conflist.Loadable(name) && !d.exists(quarantined+recordSuffix) && d.exists(name) {
		return Record{File: name}, nil
	}
	now, err := describe(d.file(r.File))
	if r.RecordError != "" || err != nil || !now.equals(r) {
		return r, notFound
	}
	return r, d.removeRecord(quarantined)
}

// checkRestore refuses to overwrite a file, and to restore one that was changed.
func (d *confDir) checkRestore(r Record, force bool) error {
	if d.exists(r.File) {
		return fmt.Errorf("%s exists again, and is not overwritten: check which of the two is right, and remove that one or put it in quarantine first", d.file(r.File))
	}
	if err := d.checkMovable(r.Quarantined); err != nil {
		return err
	}
	now, err := describe(d.file(r.Quarantined))
	switch {
	case err != nil:
		return d.explain(r.Quarantined, err)
	case force:
		return nil
	case r.RecordError != "":
		return fmt.Errorf("%s: check whether the file is the right one, and use --force", r.RecordError)
	case !now.equals(r):
		return fmt.Errorf("%s was changed in quarantine (%s): check whether it is still right, and use --force", d.file(r.Quarantined), r.difference(now))
	}
	return nil
}

// difference returns how a file differs from its record.
func (r Record) difference(now Record) string {
	switch {
	case r.Mode != now.Mode:
		return fmt.Sprintf("its mode was %s and is %s", r.Mode, now.Mode)
	case r.Link != now.Link:
		return fmt.Sprintf("it led to %s and leads to %s", r.Link, now.Link)
	}
	return fmt.Sprintf("its SHA-256 was %.12s… and is %.12s…", r.SHA256, now.SHA256)
}

// removeRecord removes the record of a file that is back.
func (d *confDir) removeRecord(quarantined string) error {
	if err := ignoreMissing(os.Remove(d.record(quarantined))); err != nil {
		return fmt.Errorf("remove record: %w", err)
	}
	return d.sync()
}

// List returns the files in quarantine in a directory, in the order of names. Files whose
// record is lost have a RecordError.
func List(dir string) ([]Record, error) {
	d := &confDir{path: dir}
	records, err := d.list()
	if err != nil {
		return nil, fmt.Errorf("list quarantine: %w", err)
	}
	return records, nil
}

func (d *confDir) list() ([]Record, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var records []Record
	for _, e := range entries {
		if _, ok := original(e.Name()); ok && !e.IsDir() {
			records = append(records, d.read(e.Name()))
		}
	}
	return records, nil
}
