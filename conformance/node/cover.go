// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Cover mounts a file with the text over another one, in the mount namespace that
// scripts/in-node made. Uncover makes the file visible again.
func Cover(path, text string) (uncover func() error, err error) {
	if os.Getenv("CNI_GUARD_NODE") != "private" {
		return nil, ErrNotPrivate
	}
	file, err := os.CreateTemp("", "cover-")
	if err != nil {
		return nil, fmt.Errorf("cover %s: %w", path, err)
	}
	defer os.Remove(file.Name()) // what is mounted stays
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Chmod(0o644), file.Close())
	if err == nil {
		err = unix.Mount(file.Name(), path, "", unix.MS_BIND, "")
	}
	if err != nil {
		return nil, fmt.Errorf("cover %s: %w", path, err)
	}
	return func() error { return unix.Unmount(path, unix.MNT_DETACH) }, nil
}
