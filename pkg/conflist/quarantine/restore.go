// SPDX-License-Identifier: Apache-2.0

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

// Restore gives a file its name back and forgets the record. The name is either
// the one that it had or the one in quarantine. A file that has that name by now
// is not overwritten, and one that is no longer as it was when it was put away is
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
		return d.finish(name, err)
	}
	if err == nil {
		err = d.mayReturn(r, force)
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
	return r, d.forget(r.Quarantined)
}

// find gives the one file in quarantine that is meant.
func (d *folder) find(name string) (Record, error) {
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
		return Record{}, fmt.Errorf("%w in quarantine: guardctl conf list shows what is", fs.ErrNotExist)
	case 1:
		return found[0], nil
	}
	return Record{}, fmt.Errorf("%d files of that name are in quarantine: name one of %s", len(found), strings.Join(names, ", "))
}

// finish looks whether a file is back already, and only its record is left.
func (d *folder) finish(name string, notFound error) (Record, error) {
	quarantined := name
	if conflist.Loadable(name) {
		quarantined = nameIn(name, 1)
		for n := 2; d.there(nameIn(name, n) + recordSuffix); n++ {
			quarantined = nameIn(name, n)
		}
	}
	r := d.read(quarantined)
	if conflist.Loadable(name) && !d.there(quarantined+recordSuffix) && d.there(name) {
		return Record{File: name}, nil
	}
	now, err := describe(d.file(r.File))
	if r.RecordError != "" || err != nil || !now.sameAs(r) {
		return r, notFound
	}
	return r, d.forget(quarantined)
}

// mayReturn refuses to overwrite, and to bring back what is not what was put away.
func (d *folder) mayReturn(r Record, force bool) error {
	if d.there(r.File) {
		return fmt.Errorf("%s has appeared meanwhile, and is not overwritten: see which of the two is right, and remove or quarantine that one first", d.file(r.File))
	}
	if err := d.movable(r.Quarantined); err != nil {
		return err
	}
	now, err := describe(d.file(r.Quarantined))
	switch {
	case err != nil:
		return d.explain(r.Quarantined, err)
	case force:
		return nil
	case r.RecordError != "":
		return fmt.Errorf("%s: see whether the file is the right one, and use --force", r.RecordError)
	case !now.sameAs(r):
		return fmt.Errorf("%s has changed since it was put away (%s): see whether it is still right, and use --force", d.file(r.Quarantined), r.change(now))
	}
	return nil
}

// change says what is not as it was.
func (r Record) change(now Record) string {
	switch {
	case r.Mode != now.Mode:
		return fmt.Sprintf("its mode was %s and is %s", r.Mode, now.Mode)
	case r.Link != now.Link:
		return fmt.Sprintf("it led to %s and leads to %s", r.Link, now.Link)
	}
	return fmt.Sprintf("its SHA-256 was %.12s… and is %.12s…", r.SHA256, now.SHA256)
}

// forget removes the record of a file that is back.
func (d *folder) forget(quarantined string) error {
	if err := gone(os.Remove(d.record(quarantined))); err != nil {
		return fmt.Errorf("remove record: %w", err)
	}
	return d.sync()
}
