// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// newSuffix ends the name of a temporary file. No runtime loads it, and no list names it. It
// is always the same, so that a file of a killed run is overwritten by the next.
// (google/renameio leaves files behind, whose names begin with a dot, and applies the umask.)
const newSuffix = ".cni-guard-new"

// attributes are the mode and owner that a new file inherits from the one it replaces.
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

// writeFile writes a file atomically.
func writeFile(path string, content []byte, a attributes) error {
	return writeAtomically(path, a, func(f *os.File) error { _, err := f.Write(content); return err }, nil)
}

// replaceFile is writeFile for a config file that must not have changed since it was read.
func replaceFile(path string, before, after []byte, a attributes) error {
	write := func(f *os.File) error { _, err := f.Write(after); return err }
	return writeAtomically(path, a, write, func(string) error { return checkUnchanged(path, before) })
}

// copyFile copies a file atomically.
func copyFile(path, from string, a attributes) error {
	return writeAtomically(path, a, func(to *os.File) error {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(to, f)
		return err
	}, nil)
}

// writeAtomically writes a temporary file beside path, tests it, and renames it. No other
// user may read the file before it has its owner and mode.
func writeAtomically(path string, a attributes, write func(*os.File) error, test func(path string) error) (err error) {
	beside := path + newSuffix
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
	err = errors.Join(write(f), chown(f, a), f.Chmod(a.mode), copyXattrs(f, path), f.Sync(), f.Close())
	if err == nil && test != nil {
		err = test(beside)
	}
	if err == nil {
		err = rename(beside, path)
	}
	return err
}

// chown sets the owner of a file, unless it is right. Only root may change it.
func chown(f *os.File, a attributes) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if now := attributesOf(info); now.uid == a.uid && now.gid == a.gid {
		return nil
	}
	return f.Chown(a.uid, a.gid)
}

// rename renames a file, and syncs the directory.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// remove removes a file, if it exists, and syncs the directory.
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
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems do not support it
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// copyXattrs copies the extended attributes of the file that is replaced: SELinux's label,
// without which a confined runtime may not read the file, and access control lists. If
// there is no such file, those of the directory apply.
func copyXattrs(f *os.File, from string) error {
	names := xattrNames(from)
	for _, name := range names {
		value, err := xattr(from, name)
		if err == nil {
			err = unix.Fsetxattr(int(f.Fd()), name, value, 0)
		}
		if err != nil && !isOptionalXattr(name, err) {
			return fmt.Errorf("copy attribute %s of %s: %w", name, from, err)
		}
	}
	return nil
}

// xattrNames returns the names of a file's attributes that do not depend on its content.
func xattrNames(path string) (names []string) {
	list := make([]byte, 64<<10) // XATTR_LIST_MAX of linux/limits.h
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return nil // the file does not exist, or the file system has no attributes
	}
	for _, name := range bytes.Split(list[:n], []byte{0}) {
		if len(name) > 0 && !slices.Contains(contentXattrs(), string(name)) {
			names = append(names, string(name))
		}
	}
	return names
}

func xattr(path, name string) ([]byte, error) {
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	n, err := unix.Lgetxattr(path, name, value)
	return value[:max(n, 0)], err
}

// isOptionalXattr reports whether the file can be replaced in spite of an error: the file
// system does not support the attribute, it was just removed, or a security module sets its
// own.
func isOptionalXattr(name string, err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENODATA) ||
		errors.Is(err, unix.EPERM) && (strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted."))
}

// contentXattrs returns the attributes that depend on the content of a file.
func contentXattrs() []string {
	return []string{"security.capability", "security.ima", "security.evm"}
}

// explain adds the remedy to an error of the file system.
func explain(what, path string, err error) error {
	dir := filepath.Dir(path)
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: %w: %s is read-only: remount it (mount -o remount,rw), or name another directory (--record-dir, or --conf-dir and --bin-dir if the runtime uses others)", what, err, dir)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: free some space (df %s, df -i %s) and run this again", what, err, dir, dir)
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EXDEV):
		return fmt.Errorf("%s: %w: %s is a mount point, and cannot be replaced: %s", what, err, path, mountRemedy)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() == 0:
		if p := immutable(path); p != "" {
			return fmt.Errorf("%s: %w: %s is immutable: find out why, then run chattr -ia %s", what, err, p, p)
		}
		return fmt.Errorf("%s: %w: root is refused here: %s belongs to another user and this container lacks CAP_CHOWN, CAP_FOWNER or CAP_DAC_OVERRIDE, or a security module such as SELinux forbids it", what, err, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: run this as root", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// checkReplaceable returns why a file cannot be replaced or created, as far as that can be
// known before anything is changed.
func checkReplaceable(path string) error {
	dir := filepath.Dir(path)
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return explain("write into "+dir, path, err)
	}
	if p := immutable(path); p != "" {
		return fmt.Errorf("replace %s: %s is immutable: find out why, then run chattr -ia %s", path, p, p)
	}
	if isMountPoint(path) {
		return fmt.Errorf("replace %s: it is a mount point, and cannot be replaced: %s", path, mountRemedy)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return explain("replace "+path, path, err)
	case info.IsDir():
		return fmt.Errorf("replace %s: it is a directory: move it away", path)
	}
	return checkOwner(path, attributesOf(info))
}

// checkOwner returns an error if a new file could not have the owner of the old one.
func checkOwner(path string, a attributes) error {
	if euid := os.Geteuid(); euid != 0 && euid != a.uid {
		return fmt.Errorf("replace %s: it belongs to uid %d: run this as root", path, a.uid)
	}
	return nil
}

// checkKeepsOwner returns an error if this process is root, and lacks what it takes to give a
// new file the owner and mode of a, as in a container. It takes CAP_CHOWN, and then
// CAP_FOWNER, to change the mode of a file of another user.
func checkKeepsOwner(path string, a attributes) error {
	var data [2]unix.CapUserData
	if os.Geteuid() != 0 || unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]) != nil {
		return nil // checkOwner is for ordinary users
	}
	var lacking []string
	lacks := func(name string, capability uint) {
		if data[0].Effective&(1<<capability) == 0 {
			lacking = append(lacking, name)
		}
	}
	if a.uid != 0 || a.gid != os.Getegid() {
		lacks("CAP_CHOWN", unix.CAP_CHOWN)
	}
	if a.uid != 0 {
		lacks("CAP_FOWNER", unix.CAP_FOWNER)
	}
	if len(lacking) == 0 {
		return nil
	}
	return fmt.Errorf("write %s: the file belongs to uid %d and gid %d, and so must the new one, which takes %s: add this to the capabilities of the container; nothing was changed", path, a.uid, a.gid, strings.Join(lacking, " and "))
}

// immutable returns which of a file and its directory is immutable; "" if none is.
func immutable(path string) string {
	for _, p := range []string{filepath.Dir(path), path} {
		if isImmutable(p) {
			return p
		}
	}
	return ""
}

// isImmutable reports whether a file can be neither renamed nor replaced (chattr +i or +a).
func isImmutable(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	const immutable, appendOnly = 0x10, 0x20 // FS_IMMUTABLE_FL, FS_APPEND_FL of linux/fs.h
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	return err == nil && flags&(immutable|appendOnly) != 0
}

// mountRemedy is the remedy for a file that is a mount point.
const mountRemedy = "change the source of the mount, or unmount it"

// isMountPoint reports whether a file is a mount point (docker run -v FILE:FILE). A rename
// over it fails with EBUSY.
func isMountPoint(path string) bool {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false // the rename fails then
	}
	for line := range strings.Lines(string(content)) {
		// proc(5): the fifth field is the mount point, with octal escapes.
		if fields := strings.Fields(line); len(fields) > 4 && unescape(fields[4]) == path {
			return true
		}
	}
	return false
}

// unescape decodes the octal escapes of the kernel (seq_path).
func unescape(field string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(field)
}
