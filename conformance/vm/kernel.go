// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os"
	"path/filepath"
)

// A Kernel is an unpacked kernel package of Debian: Dir/boot/vmlinuz-RELEASE and
// Dir/lib/modules/RELEASE, below Dir/usr since Debian 13.
type Kernel struct {
	Dir     string
	Release string // as uname -r gives it
}

// KernelIn finds the one kernel that was unpacked in the directory.
func KernelIn(dir string) (Kernel, error) {
	found, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(found) != 1 {
		return Kernel{}, fmt.Errorf("find kernel: %s holds %d files boot/vmlinuz-*, and must hold one: remove the folder, and the next run fetches it again", dir, len(found))
	}
	return Kernel{Dir: dir, Release: filepath.Base(found[0])[len("vmlinuz-"):]}, nil
}

func (k Kernel) image() string { return filepath.Join(k.Dir, "boot", "vmlinuz-"+k.Release) }

func (k Kernel) modules() string {
	dir := filepath.Join(k.Dir, "lib", "modules", k.Release)
	if _, err := os.Stat(dir); err != nil {
		return filepath.Join(k.Dir, "usr", "lib", "modules", k.Release)
	}
	return dir
}
