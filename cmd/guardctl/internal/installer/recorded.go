// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"path/filepath"
)

// recorded reads the record, and gives it as it holds for the site today: nil
// where there is none, or where it is of another conf dir, which is then one of
// those elsewhere. Call it when the folders are plain.
func (r *Request) recorded() (*Record, error) {
	record, err := readIfAny(r.RecordDir)
	if err != nil || record == nil {
		return nil, err
	}
	if record.Site.ConfDir != r.named.ConfDir && resolved(record.Site.ConfDir) != r.Site.ConfDir {
		r.Elsewhere = append(r.Elsewhere, record.Site.ConfDir)
		return nil, nil
	}
	record.Edit.in(r.Site.ConfDir)
	return record, nil
}

// in puts the files of an edit into the folder that the conf dir is today: it may
// be a link that has moved since, as microk8s's does with every refresh.
func (e *Edit) in(dir string) {
	for _, path := range []*string{&e.Path, &e.From, &e.Aside} {
		if *path != "" {
			*path = filepath.Join(dir, filepath.Base(*path))
		}
	}
}

// ownRecord refuses to write over the record of another conf dir, by which that
// one is to be uninstalled.
func (r Request) ownRecord() error {
	record, err := readIfAny(r.RecordDir)
	if err != nil || record == nil {
		return err
	}
	dir := resolved(record.Site.ConfDir)
	if dir == r.Site.ConfDir || record.Site.ConfDir == r.named.ConfDir || len(namedIn(dir, comesBack)) == 0 {
		return nil
	}
	return fmt.Errorf("install for %s: %s is the record of %s, which has the guard as well: say another --record-dir, and say it to uninstall, too", r.named.ConfDir, recordPath(r.RecordDir), record.Site.ConfDir)
}

// resolved follows the links of a folder, where it is there.
func resolved(dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return real
	}
	return filepath.Clean(dir)
}
