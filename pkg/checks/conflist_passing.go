// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// settled is how old a file must be before a pod is refused for it. Whoever
// replaces a file may write another beside it, for an instant, of a name that the
// runtime loads (Ansible's .ansible_tmp…10-a.conflist), or write the file itself in
// several pieces: the pod of that instant would work.
const settled = 2 * time.Second

// passing tells at the ADD of a pod whether a rival is gone again, or was written
// just now. It is asked after the file was read: one that was there for the listing
// only is no rival. A time in the future is that of a clock that was set, and old.
func (f *folder) passing(r rival) (gone, fresh bool) {
	if !f.ran {
		return false, false
	}
	info, err := os.Lstat(filepath.Join(f.dir, r.name))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), false
	}
	return false, isFresh(info.ModTime()) || isFresh(r.ModTime) // of a link, and of the file that it leads to
}

func isFresh(t time.Time) bool {
	age := time.Since(t)
	return age >= 0 && age < settled
}
