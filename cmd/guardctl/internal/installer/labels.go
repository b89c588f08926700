// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// copyLabels gives a file the extended attributes of the one that it is to
// replace: SELinux's label, without which a confined runtime may not read it, and
// access control lists. A file that replaces none keeps what the folder gives it.
func copyLabels(f *os.File, from string) error {
	names := labelsOf(from)
	for _, name := range names {
		value, err := label(from, name)
		if err == nil {
			err = unix.Fsetxattr(int(f.Fd()), name, value, 0)
		}
		if err != nil && !optional(name, err) {
			return fmt.Errorf("copy attribute %s of %s: %w", name, from, err)
		}
	}
	return nil
}

// labelsOf gives the names of the attributes of a file that its place has.
func labelsOf(path string) (names []string) {
	list := make([]byte, 64<<10) // XATTR_LIST_MAX of linux/limits.h
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return nil // there is no file, or the file system has no attributes
	}
	for _, name := range bytes.Split(list[:n], []byte{0}) {
		if len(name) > 0 && !slices.Contains(contentLabels(), string(name)) {
			names = append(names, string(name))
		}
	}
	return names
}

func label(path, name string) ([]byte, error) {
	value := make([]byte, 64<<10) // XATTR_SIZE_MAX
	n, err := unix.Lgetxattr(path, name, value)
	return value[:max(n, 0)], err
}

// optional tells what is no reason to leave the file as it is: a file system that
// does not have the attribute, one that went this moment, or a security module
// that sets its own.
func optional(name string, err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENODATA) ||
		errors.Is(err, unix.EPERM) && (strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted."))
}

// contentLabels belong to what is in a file, and not to its place.
func contentLabels() []string {
	return []string{"security.capability", "security.ima", "security.evm"}
}
