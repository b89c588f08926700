// SPDX-License-Identifier: Apache-2.0

package lock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
)

func TestFolder(t *testing.T) {
	checktest.PrivateNode(t)
	dir, link := t.TempDir(), filepath.Join(t.TempDir(), "net.d")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	release, err := lock.ConfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.ConfDir(link); !errors.Is(err, lock.ErrHeld) {
		t.Errorf("by another path: %v", err)
	}
	other, err := lock.ConfDir(t.TempDir())
	if err != nil {
		t.Errorf("another directory: %v", err)
	}
	other()
	release()
	again, err := lock.ConfDir(link)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	again()
	if _, err := lock.ConfDir(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// Whoever may read the directory can lock it, and keeps nobody from working.
func TestFolderLockedByAnybody(t *testing.T) {
	checktest.PrivateNode(t)
	dir := t.TempDir()
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	release, err := lock.ConfDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
}

// The locks are for root only, also where their directory was made for everybody.
func TestOnlyRoot(t *testing.T) {
	checktest.PrivateNode(t)
	if err := os.MkdirAll(lock.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	release, err := lock.ConfDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	entries, err := os.ReadDir(lock.Dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	paths := []string{lock.Dir}
	for _, e := range entries {
		paths = append(paths, filepath.Join(lock.Dir, e.Name()))
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}
