// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
)

func TestPathIsNoFolder(t *testing.T) {
	dir := memory(t)
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, []byte("precious"), 0o600))
	dangling := filepath.Join(dir, "dangling")
	must(t, os.Symlink("nowhere", dangling))
	for _, path := range []string{file, filepath.Join(file, "below"), dangling} {
		l := Ledger(path)
		if err := l.Put(record(key("a1"))); err == nil {
			t.Errorf("%s: Put returns no error", path)
		}
		if r, err := l.Get(key("a1")); err == nil {
			t.Errorf("%s: Get returns %+v", path, r)
		}
	}
	for what, err := range map[string]error{
		"Get": second(Ledger(file).Get(key("a1"))), "Retire": Ledger(file).Retire(key("a1")),
		"Collect": second(Ledger(file).Collect("pods", nil)), "Sweep": Ledger(file).Sweep(time.Now()),
	} {
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s on a file returns error %v, want one that is not taken for an empty ledger", what, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "precious" {
		t.Errorf("the file has %q, error %v", data, err)
	}
}

func second[A any](_ A, err error) error { return err }

func TestPathIsLink(t *testing.T) {
	dir := memory(t)
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	l := Ledger(filepath.Join(dir, "link"))
	must(t, l.Put(record(key("a1"))))
	if _, err := Ledger(filepath.Join(dir, "real")).Get(key("a1")); err != nil {
		t.Error(err)
	}
}

// mount mounts a tmpfs with these options.
func mount(t *testing.T, options string) Ledger {
	t.Helper()
	checktest.PrivateNode(t)
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, options))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return Ledger(dir)
}

func TestReadOnly(t *testing.T) {
	l := mount(t, "")
	must(t, l.Put(record(key("a1"))))
	must(t, syscall.Mount("tmpfs", string(l), "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	if err := l.Put(record(key("a2"))); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Put returns error %v", err)
	}
	if err := l.Retire(key("a1")); !errors.Is(err, syscall.EROFS) {
		t.Errorf("Retire returns error %v", err)
	}
	if _, err := l.Get(key("a1")); err != nil {
		t.Errorf("Get: %v", err)
	}
}

// On a full file system what is there stays, and nothing half-written is left.
func TestFull(t *testing.T) {
	for name, options := range map[string]string{"bytes": "size=64k", "files": "nr_inodes=40"} {
		t.Run(name, func(t *testing.T) {
			l := mount(t, options)
			var err error
			whole := 0
			for ; err == nil && whole < 1000; whole++ {
				err = l.Put(record(key(fmt.Sprintf("c%d", whole))))
			}
			whole-- // the last failed
			if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "record sandbox: ") {
				t.Fatalf("after %d records error %v, want that the space is used up", whole, err)
			}
			for i := range whole {
				if _, err := l.Get(key(fmt.Sprintf("c%d", i))); err != nil {
					t.Error(err)
				}
			}
			must(t, l.Sweep(time.Now().Add(2*maxTmpAge)))
			if left := files(t, l, tmp); len(left) > 0 {
				t.Errorf("%q are left half-written", left)
			}
			if got := len(files(t, l, live)); got != whole {
				t.Errorf("live has %d files, want the %d that were recorded", got, whole)
			}
			must(t, l.Retire(key("c0"))) // takes no space
			if _, err := Ledger(l).Collect("pods", nil); err != nil {
				t.Error(err)
			}
			if err := l.Put(record(key("later"))); err != nil {
				t.Errorf("with space again: %v", err)
			}
		})
	}
}
