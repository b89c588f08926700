// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
)

// A confDir is a config directory, locked by this process.
type confDir struct {
	path    string
	f       *os.File
	release func()
}

// open locks a config directory. A link is refused: it could be changed at any moment,
// and runtimes watch the directory that it led to when they started.
func open(path string) (*confDir, error) {
	path = filepath.Clean(path)
	if to, err := os.Readlink(path); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			to = real
		}
		return nil, fmt.Errorf("%s is a link: name the directory that it leads to with --conf-dir %s", path, to)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open config directory: %w", err)
	}
	release, err := lock.ConfDir(path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &confDir{path: path, f: f, release: release}, nil
}

// close releases the directory. Nothing was written to it.
func (d *confDir) close() {
	_ = d.f.Close()
	d.release()
}

func (d *confDir) file(name string) string { return filepath.Join(d.path, name) }

// exists reports whether the directory has an entry of that name.
func (d *confDir) exists(name string) bool {
	_, err := os.Lstat(d.file(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// rename returns a file another name, and never replaces one.
func (d *confDir) rename(from, to string) error {
	fd := int(d.f.Fd())
	err := unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // NFS, for example, does not support it
		if d.exists(to) {
			return unix.EEXIST
		}
		err = unix.Renameat(fd, from, fd, to)
	}
	return err
}

// sync makes renames survive a power failure.
func (d *confDir) sync() error {
	if err := d.f.Sync(); err != nil {
		return fmt.Errorf("sync directory: %w; the change may be lost in a power failure: repeat the command", err)
	}
	return nil
}

// checkMovable returns why a file cannot be renamed, as far as that can be known before
// anything is changed.
func (d *confDir) checkMovable(name string) error {
	for _, path := range []string{d.file(name), d.path} {
		if err := checkAttributes(path); err != nil {
			return err
		}
	}
	if err := unix.Faccessat(unix.AT_FDCWD, d.path, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return d.explain(name, err)
	}
	return nil
}

// checkAttributes returns an error for the attributes that keep even root from renaming.
func checkAttributes(path string) error {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &s); err != nil {
		return nil // the rename returns the error
	}
	switch {
	case s.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return fmt.Errorf("%s is immutable: run chattr -i %s", path, path)
	case s.Attributes&unix.STATX_ATTR_APPEND != 0:
		return fmt.Errorf("%s is append-only: run chattr -a %s", path, path)
	}
	return nil
}

// explain adds the remedy to an error of the kernel.
func (d *confDir) explain(name string, err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: the file system of %s is mounted read-only: remount it, or change the image that it comes from", err, d.path)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: the disk of %s is full: free some space and repeat the command", err, d.path)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%w: %s is a mount point: unmount it first", err, d.file(name))
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%w: %s was created just now: repeat the command", err, d.file(name))
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: %s", err, d.explainPermission())
	}
	return err
}

// explainPermission says who has the permission.
func (d *confDir) explainPermission() string {
	me := os.Geteuid()
	if info, err := os.Stat(d.path); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			return fmt.Sprintf("%s belongs to uid %d and has mode %s, and this is uid %d: run it as root of the node", d.path, s.Uid, info.Mode(), me)
		}
	}
	return fmt.Sprintf("this is uid %d: run it as root of the node", me)
}
