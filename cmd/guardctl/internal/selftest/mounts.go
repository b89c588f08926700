// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// workDir is the only directory that the self-test itself writes to.
const workDir = "/run/cni-guard-verify"

// emptied are the directories that are empty ones in memory in the private node.
// They hold what plugins write, and the sockets by which they would reach
// daemons that act on the real node.
func emptied() []string { return []string{"/run", "/var/run", "/var/lib/cni"} }

// privatize makes the file systems of this process its own and read-only, but
// for the emptied directories and the sysctls of its network namespaces. The
// directories to keep stay where they are though a directory above them is emptied, and what
// the plugins of the chain need is there as a copy.
func privatize(keep, needs []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// The old one shows the links of the real node. Where it cannot be replaced
	// it is read-only soon, as the new one is.
	_ = unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "")
	copies := copiesOf(needs)
	writable, err := empty(keep)
	if err != nil {
		return err
	}
	for _, c := range copies {
		dir, err := c.put()
		if err != nil {
			return err
		}
		if dir != "" {
			writable = append(writable, dir)
		}
	}
	return readOnlyBut(append(writable, "/proc/sys/net"))
}

// empty mounts the empty directories and gives those that there are.
func empty(keep []string) (mounted []string, err error) {
	for _, dir := range emptied() {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // not there, or /var/run, a link to /run
		}
		restore, err := hideUnder(dir, keep)
		if err != nil {
			return nil, err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return nil, fmt.Errorf("empty %s: %w", dir, err)
		}
		if err := restore(); err != nil {
			return nil, err
		}
		mounted = append(mounted, dir)
	}
	for _, dir := range []string{workDir, netnsDir, "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("prepare /run: %w", err)
		}
	}
	return mounted, nil
}

// hideUnder holds those of the directories that are below dir, to bind them to
// their old places when dir was emptied.
func hideUnder(dir string, keep []string) (restore func() error, err error) {
	held := map[string]*os.File{}
	for _, path := range keep {
		if strings.HasPrefix(path, dir+"/") {
			if held[path], err = os.Open(path); err != nil {
				return nil, fmt.Errorf("keep %s: %w", path, err)
			}
		}
	}
	return func() error {
		for path, file := range held {
			err := os.MkdirAll(path, 0o755)
			if err == nil {
				err = unix.Mount(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), path, "", unix.MS_BIND, "")
			}
			if err != nil {
				return fmt.Errorf("keep %s: %w", path, err)
			}
			file.Close()
		}
		return nil
	}, nil
}

// readOnlyBut makes all mounts read-only, then the directories writable again.
// mount_setattr(2): Linux 5.12.
func readOnlyBut(folders []string) error {
	if err := unix.Mount("/proc/sys/net", "/proc/sys/net", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /proc/sys/net: %w", err)
	}
	err := unix.MountSetattr(-1, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) {
		return errors.New("make mounts read-only: needs Linux 5.12")
	}
	if err != nil {
		return fmt.Errorf("make mounts read-only: %w", err)
	}
	for _, dir := range folders {
		if err := unix.MountSetattr(-1, dir, 0, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make %s writable: %w", dir, err)
		}
	}
	return nil
}
