// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// explain adds what to do to an error of the file system.
func explain(what, path string, err error) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: %w: %s is read-only: remount it (mount -o remount,rw), or say another folder, of those that the runtime reads where it is one of them (--record-dir, --conf-dir, --bin-dir)", what, err, dir)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: free some space (df %s, df -i %s) and run this again", what, err, dir, dir)
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EXDEV):
		return fmt.Errorf("%s: %w: %s is a mount of its own, and cannot be replaced: %s", what, err, path, aMount)
	case errors.Is(err, syscall.EPERM) && os.Geteuid() == 0:
		return fmt.Errorf("%s: %w: %s or its folder may be immutable (lsattr -d %s %s): chattr -i makes it writable", what, err, path, path, dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: run this as root", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// mayReplace tells before anything is changed whether a file could be replaced,
// or made. It changes nothing itself, so that it cannot know everything.
func mayReplace(path string) error {
	dir := filepath.Dir(path)
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return explain("write into "+dir, path, err)
	}
	for _, p := range []string{dir, path} {
		if fixed(p) {
			return fmt.Errorf("replace %s: %s is immutable: chattr -ia %s makes it writable; somebody may have had a reason", path, p, p)
		}
	}
	if mounted(path) {
		return fmt.Errorf("replace %s: it is a mount of its own, and cannot be replaced: %s", path, aMount)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return explain("replace "+path, path, err)
	case info.IsDir():
		return fmt.Errorf("replace %s: it is a folder: move it away", path)
	}
	return mayGive(path, attributesOf(info))
}

// mayGive tells whether a new file could have the owner of the old one.
func mayGive(path string, a attributes) error {
	if euid := os.Geteuid(); euid != 0 && euid != a.uid {
		return fmt.Errorf("replace %s: it belongs to user %d, and only root could give the new file to that user: run this as root", path, a.uid)
	}
	return nil
}

// fixed reports whether a file may be neither renamed nor replaced: chattr +i or
// +a. A file system that has no such flags says so with an error.
func fixed(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	const immutable, appendOnly = 0x10, 0x20 // FS_IMMUTABLE_FL, FS_APPEND_FL of linux/fs.h
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	return err == nil && flags&(immutable|appendOnly) != 0
}
