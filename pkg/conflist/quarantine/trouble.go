// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// movable says why a file cannot be renamed, where that can be known before
// anything was changed.
func (d *folder) movable(name string) error {
	for _, path := range []string{d.file(name), d.path} {
		if err := unmovable(path); err != nil {
			return err
		}
	}
	if err := unix.Faccessat(unix.AT_FDCWD, d.path, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return d.explain(name, err)
	}
	return nil
}

// unmovable tells the attributes that keep even root from renaming.
func unmovable(path string) error {
	var s unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &s); err != nil {
		return nil // whoever acts gets the error
	}
	switch {
	case s.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return fmt.Errorf("%s is immutable: run chattr -i %s", path, path)
	case s.Attributes&unix.STATX_ATTR_APPEND != 0:
		return fmt.Errorf("%s is append-only: run chattr -a %s", path, path)
	}
	return nil
}

// explain adds to an error of the kernel what to do about it.
func (d *folder) explain(name string, err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: the filesystem of %s is mounted read-only: remount it, or change the image that it comes from", err, d.path)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: the disk of %s is full: make room and do it again", err, d.path)
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("%w: %s is a mount of its own: unmount it, where it is mounted from", err, d.file(name))
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%w: %s has appeared in this moment: do it again", err, d.file(name))
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: %s", err, d.whose())
	}
	return err
}

// whose says who might do what was refused.
func (d *folder) whose() string {
	me := os.Geteuid()
	if info, err := os.Stat(d.path); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			return fmt.Sprintf("%s belongs to uid %d and has mode %s, and this is uid %d: run it as root of the node", d.path, s.Uid, info.Mode(), me)
		}
	}
	return fmt.Sprintf("this is uid %d: run it as root of the node", me)
}
