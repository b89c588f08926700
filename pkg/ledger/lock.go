// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// locks is the folder of the locks of releases.
const locks = "locks"

// ErrHeld means that another process holds the lock of an attachment.
var ErrHeld = errors.New("another process is releasing the attachment")

// Lock locks an attachment for a release, and returns a function that unlocks
// it. It waits until ctx ends; the error wraps ErrHeld if the lock is still held
// then. The kernel drops the lock of a process that ends. The folder of the
// locks is the owner's alone, as flock(2) takes a descriptor that was opened for
// reading, and any local user could hold a lock that it can open.
func (l Ledger) Lock(ctx context.Context, k Key) (unlock func(), err error) {
	dir := filepath.Join(string(l), locks)
	if err := makePrivate(dir); err != nil {
		return nil, fmt.Errorf("lock attachment: %w", err)
	}
	path := filepath.Join(dir, k.fileName())
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("lock attachment: %w", err)
		}
		if err := flock(ctx, file); err != nil {
			return nil, fmt.Errorf("lock attachment: %w", err)
		}
		if isAt(file, path) {
			return func() {
				_ = os.Remove(path) // while it is locked: whoever waits for it sees that it is gone
				_ = file.Close()
			}, nil
		}
		_ = file.Close() // the holder before us removed it
	}
}

// makePrivate makes a folder that nobody but its owner can enter.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// flock locks the file. It closes it on an error.
func flock(ctx context.Context, file *os.File) error {
	err := flockOnce(file, syscall.LOCK_EX|syscall.LOCK_NB)
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		if err != nil {
			_ = file.Close()
		}
		return err
	}
	locked := make(chan error, 1)
	go func() { locked <- flockOnce(file, syscall.LOCK_EX) }()
	select {
	case err := <-locked:
		if err != nil {
			_ = file.Close()
		}
		return err
	case <-ctx.Done():
		go func() { // a flock(2) that waits cannot be called off
			<-locked
			_ = file.Close()
		}()
		return ErrHeld
	}
}

func flockOnce(file *os.File, how int) error {
	for {
		if err := syscall.Flock(int(file.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// isAt reports whether the path still names the file.
func isAt(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(ours, there)
}

// sweepLocks removes the locks that killed processes left.
func (l Ledger) sweepLocks(before time.Time) error {
	dir := filepath.Join(string(l), locks)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sweep locks: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil || changeTime(info).After(before) {
			continue
		}
		file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if flockOnce(file, syscall.LOCK_EX|syscall.LOCK_NB) == nil && isAt(file, path) {
			_ = os.Remove(path)
		}
		_ = file.Close()
	}
	return nil
}
