// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// suffix ends the name of a file that is not in place yet. No runtime loads it,
// and no conflist names it. It is always the same, so that what a killed run left
// is overwritten by the next. (google/renameio has names of its own, which begin
// with a dot and stay behind, and takes the mode of the umask.)
const suffix = ".cni-guard-new"

// attributes are what a new file takes over from the one that it replaces.
type attributes struct {
	mode     fs.FileMode
	uid, gid int
}

func attributesOf(info fs.FileInfo) attributes {
	a := attributes{mode: info.Mode().Perm(), uid: os.Geteuid(), gid: os.Getegid()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		a.uid, a.gid = int(stat.Uid), int(stat.Gid)
	}
	return a
}

// writeFile puts content at path, whole or not at all.
func writeFile(path string, content []byte, a attributes) error {
	return place(path, a, func(f *os.File) error { _, err := f.Write(content); return err }, nil)
}

// replaceFile is writeFile of a configuration that must still be as it was read.
func replaceFile(path string, before, after []byte, a attributes) error {
	write := func(f *os.File) error { _, err := f.Write(after); return err }
	return place(path, a, write, func(string) error { return unchanged(path, before) })
}

// copyFile puts a copy of a file at path.
func copyFile(path, from string, a attributes) error {
	return place(path, a, func(to *os.File) error {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(to, f)
		return err
	}, nil)
}

// place writes beside path and renames. Nobody else may read the file before it
// has its owner and mode.
func place(path string, a attributes, write func(*os.File) error, test func(path string) error) (err error) {
	beside := path + suffix
	defer func() {
		if err != nil {
			_ = os.Remove(beside)
			err = explain("write "+path, path, err)
		}
	}()
	if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), own(f, a), f.Chmod(a.mode), copyLabels(f, path), f.Sync(), f.Close())
	if err == nil && test != nil {
		err = test(beside)
	}
	if err == nil {
		err = rename(beside, path)
	}
	return err
}

// own gives the file to its owner. Only root may, and need not where it is so.
func own(f *os.File, a attributes) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if now := attributesOf(info); now.uid == a.uid && now.gid == a.gid {
		return nil
	}
	return f.Chown(a.uid, a.gid)
}

// rename renames, and makes that last.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// remove removes, and makes that last. What is gone is right.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return explain("remove "+path, path, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems have nothing to sync
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
