// SPDX-License-Identifier: Apache-2.0

// Package lock keeps two commands from changing one config directory at the same time.
// The lock is a file that only root can open, in a directory that only root can enter.
// flock(2) needs only an open descriptor: a lock on the config directory itself, which
// everybody may read, could be held forever by any local user, or by a pod that mounts it.
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

// Dir is the directory of root's locks. It is below /run, so that no lock file survives a
// reboot.
const Dir = "/run/cni-guard/lock"

// ErrHeld is wrapped by the error of [ConfDir] while another process holds the lock.
var ErrHeld = errors.New("another guardctl is changing it: wait until that one has ended")

// ConfDir locks a config directory, or returns an error that wraps [ErrHeld]. It never
// waits. All paths to one directory share one lock. The kernel releases it when the
// process ends.
//
// An ordinary user, who cannot write to [Dir], locks the config directory itself.
func ConfDir(dir string) (release func(), err error) {
	f, err := openLock(dir)
	if err == nil {
		err = flock(f)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

func openLock(dir string) (*os.File, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return nil, fmt.Errorf("identify directory: %w", err)
	}
	if err := prepareDir(); err != nil {
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			return os.Open(dir)
		}
		return nil, err
	}
	return os.OpenFile(filepath.Join(Dir, fmt.Sprintf("conf-%x-%x", st.Dev, st.Ino)), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// prepareDir creates the directory of the locks, and closes it to everybody but root if it
// was open.
func prepareDir() error {
	if err := os.MkdirAll(Dir, 0o700); err != nil {
		return fmt.Errorf("create lock directory: %w", err)
	}
	if err := os.Chmod(Dir, 0o700); err != nil {
		return fmt.Errorf("chmod lock directory: %w", err)
	}
	return nil
}

func flock(f *os.File) error {
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
