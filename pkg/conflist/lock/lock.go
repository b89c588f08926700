// SPDX-License-Identifier: Apache-2.0

// Package lock keeps two commands from changing one folder of configurations at
// the same time. The lock is a file that only root can open, in a folder that only
// root can enter: flock(2) needs no more than an open descriptor, so a lock on the
// folder of configurations itself, which everybody may read, could be held by any
// local user, or by a pod that mounts the folder, for as long as they like.
package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir is where root's locks are. It is below /run, so that no lock file outlives a
// reboot.
const Dir = "/run/cni-guard/lock"

// ErrHeld is the error of [Folder] while another process holds the lock.
var ErrHeld = errors.New("another guardctl changes it at this moment: wait until that one has ended")

// Folder takes the lock of a folder, or returns an error that wraps [ErrHeld]. It
// never waits. All paths that lead to one folder share one lock. The kernel
// releases the lock when the process ends, however it ends.
//
// An ordinary user, who cannot write to [Dir], locks the folder itself.
func ConfDir(dir string) (release func(), err error) {
	f, err := open(dir)
	if err == nil {
		err = take(f)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

func open(dir string) (*os.File, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return nil, fmt.Errorf("identify folder: %w", err)
	}
	if err := prepare(); err != nil {
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			return os.Open(dir)
		}
		return nil, err
	}
	return os.OpenFile(filepath.Join(Dir, fmt.Sprintf("conf-%x-%x", st.Dev, st.Ino)), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// prepare makes the folder of the locks, and makes it root's alone where somebody
// made it otherwise.
func prepare() error {
	if err := os.MkdirAll(Dir, 0o700); err != nil {
		return fmt.Errorf("make folder of locks: %w", err)
	}
	if err := os.Chmod(Dir, 0o700); err != nil {
		return fmt.Errorf("close folder of locks: %w", err)
	}
	return nil
}

func take(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("%w (fuser %s shows it)", ErrHeld, f.Name())
	}
	return err
}
