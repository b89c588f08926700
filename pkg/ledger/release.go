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

// locks is the directory of the locks of releases.
const locks = "locks"

var (
	// ErrHeld means that another process holds the lock of the attachment.
	ErrHeld = errors.New("another process is releasing the attachment")
	// ErrReplaced means that an ADD has recorded a new sandbox for the attachment
	// since the record was read.
	ErrReplaced = errors.New("a new sandbox has been recorded for the attachment")
)

// Mark stores the progress of a release: in the live record if there is one, else
// in the retired one, which it creates if needed. The caller holds the lock of the
// attachment. If the live record is of another ADD than r, Mark changes nothing and
// returns ErrReplaced.
func (l Ledger) Mark(r Record) error {
	isLive, err := l.isLive(r)
	if err == nil {
		dir := gone
		if isLive {
			dir = live
		}
		err = l.write(dir, r)
	}
	if err != nil {
		return fmt.Errorf("mark release: %w", err)
	}
	return nil
}

// PutReleased retires the attachment and marks it as released. Like Mark, it does
// not touch the record of another ADD.
func (l Ledger) PutReleased(r Record) error {
	if _, err := l.isLive(r); err != nil {
		return fmt.Errorf("mark record as released: %w", err)
	}
	r.Released = true
	err := l.write(gone, r)
	if err == nil {
		err = os.Remove(l.path(live, r.Key))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mark record as released: %w", err)
	}
	return l.sweepSometimes(r.Key)
}

// isLive reports whether there is a live record of the same ADD as r. A live record
// of another ADD is the error ErrReplaced.
func (l Ledger) isLive(r Record) (bool, error) {
	data, err := os.ReadFile(l.path(live, r.Key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	current, err := parseRecord(data)
	if err != nil || current.Key != r.Key {
		return true, nil // the file holds nothing worth keeping
	}
	if !current.Added.Equal(r.Added) {
		return false, ErrReplaced
	}
	return true, nil
}

// Lock locks an attachment for a release and returns a function that unlocks it. It
// waits until ctx ends; if another process still holds the lock then, the error
// wraps ErrHeld. The kernel releases the lock of a process that ends.
//
// Only root can enter the directory of the locks. flock(2) accepts a descriptor that
// was opened for reading, so any user who can open a lock could hold it.
func (l Ledger) Lock(ctx context.Context, k Key) (unlock func(), err error) {
	dir := filepath.Join(string(l), locks)
	if err := makePrivateDir(dir); err != nil {
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
		if isFileAt(file, path) {
			return func() {
				_ = os.Remove(path) // while it is locked: a waiting process then finds it removed, and retries
				_ = file.Close()
			}, nil
		}
		_ = file.Close() // the previous holder removed it
	}
}

// makePrivateDir creates a directory that only its owner can enter.
func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// flock locks the file. It closes the file if it returns an error.
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
		go func() { // a waiting flock(2) cannot be canceled
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

// isFileAt reports whether the path still names the open file.
func isFileAt(file *os.File, path string) bool {
	open, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(open, named)
}

// sweepLocks removes locks that killed processes left behind.
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
		if flockOnce(file, syscall.LOCK_EX|syscall.LOCK_NB) == nil && isFileAt(file, path) {
			_ = os.Remove(path)
		}
		_ = file.Close()
	}
	return nil
}
