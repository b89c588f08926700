// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Enter has this process see the node whose file system is mounted at root, as in a
// container that installs the guard: every path that is given, found, written and
// recorded from then on is one of the node, and links are resolved within the root.
// The programs of From are read before, as they are the container's. The plugins that
// are started run with the files of the node, though in the namespaces of the
// container.
func (r *Request) Enter(root string) error {
	if r.From != "" {
		if err := r.open(); err != nil {
			return err
		}
	}
	if err := EnterRoot(root); err != nil {
		return err
	}
	r.rooted = true
	return nil
}

// EnterRoot changes the root of this process. It needs CAP_SYS_CHROOT.
func EnterRoot(root string) error {
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return fmt.Errorf("enter the node at %s: it is no folder: say by --root where the node's file system is mounted", root)
	}
	if err := unix.Chroot(root); err != nil {
		return fmt.Errorf("enter the node at %s: %w: --root needs root and CAP_SYS_CHROOT", root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("enter the node at %s: %w", root, err)
	}
	return nil
}
