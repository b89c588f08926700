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

// Put renames a file of the folder so that no runtime loads it, and keeps a record
// beside it. A file that is in quarantine already is success, with its record. The
// error names the file and what to do; then nothing was changed, but for one that
// says that the folder could not be synced.
func Put(dir, name string, n Note) (Record, error) {
	r, err := put(dir, name, n)
	if err != nil {
		return r, fmt.Errorf("put %s in quarantine: %w", filepath.Join(dir, name), err)
	}
	return r, nil
}

func put(dir, name string, n Note) (r Record, err error) {
	if err := suitable(name); err != nil {
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
		return d.already(name)
	case err != nil:
		return r, d.explain(name, err)
	}
	if err := d.movable(name); err != nil {
		return r, err
	}
	r.File, r.Quarantined, r.When, r.Why, r.UID = name, d.free(name), n.When.UTC(), n.Why, n.UID
	return r, d.move(r)
}

// move writes the record first: a file without one would have lost its history.
func (d *folder) move(r Record) error {
	if err := d.write(r); err != nil {
		return d.explain(r.File, fmt.Errorf("write record: %w", err))
	}
	if err := d.rename(r.File, r.Quarantined); err != nil {
		return errors.Join(d.explain(r.File, err), gone(os.Remove(d.record(r.Quarantined))))
	}
	return d.sync()
}

// suitable refuses what is no name of a file that runtimes load.
func suitable(name string) error {
	switch {
	case name != filepath.Base(name) || strings.ContainsRune(name, filepath.Separator):
		return errors.New("it is no name of a file in the folder")
	case !conflist.Loadable(name):
		return errors.New("no runtime loads a file of that name, for it does not end in .conf, .conflist or .json: it can stay")
	}
	return nil
}

// free gives the first name in quarantine that is not taken.
func (d *folder) free(name string) string {
	n := 1
	for d.there(nameIn(name, n)) {
		n++
	}
	return nameIn(name, n)
}

// already finishes what may have been interrupted.
func (d *folder) already(name string) (Record, error) {
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
		return latest, fmt.Errorf("%w, nor is there one of that name in quarantine: guardctl conf shows what is there", fs.ErrNotExist)
	}
	return latest, d.sync()
}
