// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// judge tells what an open descriptor is.
func judge(fd int) (Kind, string, error) {
	var sfs unix.Statfs_t
	if err := unix.Fstatfs(fd, &sfs); err != nil {
		return Unknown, "", fmt.Errorf("judge file system: %w", err)
	}
	if sfs.Type != unix.NSFS_MAGIC {
		return NotNetns, describe(fd, int64(sfs.Type)), nil
	}
	// NS_GET_NSTYPE: Linux 4.11, ioctl_ns(2).
	switch nstype, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); {
	case err != nil:
		return Unknown, "", fmt.Errorf("judge type of namespace: %w", err)
	case nstype != unix.CLONE_NEWNET:
		return NotNetns, "is a namespace of another type", nil
	}
	return nodeOrSandbox(fd)
}

// describe says what stands in the place of a namespace. Only the file system
// tells an unmounted pin from a mounted one: both are empty regular files.
func describe(fd int, fsType int64) string {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "is no network namespace"
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "is a directory"
	case unix.S_IFIFO:
		return "is a FIFO"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "is a device"
	}
	switch {
	case fsType == unix.PROC_SUPER_MAGIC:
		return "is another file of procfs"
	case st.Size == 0:
		return "is an empty file: the mount that pinned the namespace there is gone"
	}
	return "is an ordinary file"
}

// nodeOrSandbox compares the namespace with the one that this thread is in, and
// with that of pid 1 where it may be read: on a node that is itself a container
// the two are the same, elsewhere neither is ever a pod's. Inode numbers are
// reused at once, so they identify a namespace only while it is held open.
func nodeOrSandbox(fd int) (Kind, string, error) {
	var target unix.Stat_t
	if err := unix.Fstat(fd, &target); err != nil {
		return Unknown, "", fmt.Errorf("identify namespace: %w", err)
	}
	own, err := namespaceID("/proc/thread-self/ns/net")
	if err != nil {
		return judgeByCookie(fd, err)
	}
	if own == idOf(&target) {
		return Node, "", nil
	}
	if init, err := namespaceID("/proc/1/ns/net"); err == nil && init == idOf(&target) {
		return Node, "", nil
	}
	return Sandbox, "", nil
}

// judgeByCookie compares cookies instead, for a chroot without procfs.
func judgeByCookie(fd int, cause error) (Kind, string, error) {
	own, ownErr := cookieHere()
	target, targetErr := cookieOf(fd)
	switch err := errors.Join(ownErr, targetErr); {
	case err != nil:
		return Unknown, "", fmt.Errorf("identify own namespace: %w", errors.Join(cause, err))
	case own == target:
		return Node, "", nil
	}
	return Sandbox, "", nil
}

// An id identifies a namespace among those that exist now.
type id struct{ dev, ino uint64 }

func idOf(st *unix.Stat_t) id { return id{dev: st.Dev, ino: st.Ino} }

func namespaceID(path string) (id, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return id{}, fmt.Errorf("stat %s: %w", path, err)
	}
	return idOf(&st), nil
}
