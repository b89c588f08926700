// SPDX-License-Identifier: Apache-2.0

// Package hostfs is how checks read the files of a node: those of the conf dir, the
// plugin directories, /etc and /run. It exists so that what a check reads can be
// recorded on one machine, and a check can be run again on another one that must not
// read files of its own.
package hostfs

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// An FS reads the files of a node. Paths are absolute, as on the node. Errors are those
// of package os: they wrap fs.ErrNotExist and fs.ErrPermission. All methods may be called
// concurrently, and none of them waits for another process.
type FS interface {
	// Open opens a file for reading. A FIFO opens at once, whether or not it has a writer.
	Open(path string) (fs.File, error)
	// ReadDir returns the entries of a directory, sorted by name.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Stat follows symbolic links.
	Stat(path string) (fs.FileInfo, error)
	// Lstat does not follow a link that is the last element.
	Lstat(path string) (fs.FileInfo, error)
	// Readlink returns where a symbolic link leads.
	Readlink(path string) (string, error)
	// EvalSymlinks returns the path without symbolic links in it.
	EvalSymlinks(path string) (string, error)
	// Same reports whether two paths lead to one file or directory.
	Same(a, b string) bool
}

// Or returns files, or the files of this machine for nil.
func Or(files FS) FS {
	if files == nil {
		return OS{}
	}
	return files
}

// OS is the files of this machine.
type OS struct{}

var _ FS = OS{}

// Open implements FS.
func (OS) Open(path string) (fs.File, error) {
	// O_NONBLOCK: opening a FIFO would otherwise wait for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return file, nil
}

// ReadDir implements FS.
func (OS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }

// Stat implements FS.
func (OS) Stat(path string) (fs.FileInfo, error) { return os.Stat(path) }

// Lstat implements FS.
func (OS) Lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }

// Readlink implements FS.
func (OS) Readlink(path string) (string, error) { return os.Readlink(path) }

// EvalSymlinks implements FS.
func (OS) EvalSymlinks(path string) (string, error) { return filepath.EvalSymlinks(path) }

// Same implements FS.
func (OS) Same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
