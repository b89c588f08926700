// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A release that is under way is marked in the record that is there, whichever
// it is, and does not cost the record what it knew.
func TestMark(t *testing.T) {
	begun := &Release{Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Called: []string{"firewall"}}
	for name, c := range map[string]struct {
		before  func(Ledger, *Record) error
		retired bool
	}{
		"live":    {func(l Ledger, r *Record) error { return l.Put(r) }, false},
		"retired": {func(l Ledger, r *Record) error { return errors.Join(l.Put(r), l.Retire(r.Key)) }, true},
		"none":    {func(Ledger, *Record) error { return nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			l, want := Ledger(memory(t)), record(key("a1"))
			must(t, c.before(l, want))
			want.Release = begun
			must(t, l.Mark(*want))
			want.Retired = c.retired
			if got, err := l.Get(want.Key); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("marked: %+v, %v, want %+v", got, err, want)
			}
			// DEL and GC keep it.
			must(t, l.Retire(want.Key))
			if _, err := l.Collect("pods", nil); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Get(want.Key); err != nil || got.Release == nil {
				t.Errorf("after DEL and GC: %+v, %v", got, err)
			}
			must(t, l.PutReleased(*want))
			if got, err := l.Get(want.Key); err != nil || !got.Released {
				t.Errorf("released: %+v, %v", got, err)
			}
		})
	}
}

// A release that outlives the attachment must not mark the sandbox that has the
// same name by then.
func TestMarkLeavesAnotherLifeAlone(t *testing.T) {
	l, old := Ledger(memory(t)), record(key("a1"))
	must(t, l.Put(old))
	next := record(old.Key)
	next.Added, next.Cookie = old.Added.Add(time.Hour), 7
	must(t, l.Put(next))
	for name, mark := range map[string]func(Record) error{"Mark": l.Mark, "PutReleased": l.PutReleased} {
		if err := mark(*old); !errors.Is(err, ErrReplaced) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if got, err := l.Get(old.Key); err != nil || got.Cookie != 7 || got.Released || got.Retired {
			t.Errorf("%s: the record is %+v, %v", name, got, err)
		}
	}
}

// Only one process at a time holds the lock, and no lock file remains.
func TestLock(t *testing.T) {
	l := Ledger(memory(t))
	var inside, most atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			unlock, err := l.Lock(t.Context(), key("a1"))
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			if n := inside.Add(1); n > 1 {
				most.Store(n)
			}
			runtime.Gosched()
			inside.Add(-1)
		})
	}
	all.Wait()
	if n := most.Load(); n > 0 {
		t.Errorf("%d had the lock at once", n)
	}
	if left := files(t, l, locks); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestLockHeld(t *testing.T) {
	l := Ledger(memory(t))
	unlock, err := l.Lock(t.Context(), key("a1"))
	must(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Lock(ended, key("a1")); !errors.Is(err, ErrHeld) {
		t.Errorf("the error is %v, want ErrHeld", err)
	}
	other, err := l.Lock(ended, key("a2"))
	must(t, err) // another attachment
	other()
	unlock()
	again, err := l.Lock(t.Context(), key("a1"))
	must(t, err)
	again()
}

// No local user can open a lock, and so hold it, whatever mode the directory had before.
func TestLockIsPrivate(t *testing.T) {
	l := Ledger(memory(t))
	must(t, os.MkdirAll(filepath.Join(string(l), locks), 0o755))
	must(t, os.Chmod(filepath.Join(string(l), locks), 0o755))
	unlock, err := l.Lock(t.Context(), key("a1"))
	must(t, err)
	defer unlock()
	info, err := os.Stat(filepath.Join(string(l), locks))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
}

// A lock that cannot be made is an error other than ErrHeld.
func TestLockWithoutFolder(t *testing.T) {
	file := filepath.Join(memory(t), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := Ledger(file).Lock(t.Context(), key("a1")); err == nil || errors.Is(err, ErrHeld) {
		t.Errorf("the error is %v", err)
	}
}

// The sweep removes the locks of processes that were killed, and no lock that is
// held.
func TestSweepLocks(t *testing.T) {
	l := Ledger(memory(t))
	unlock, err := l.Lock(t.Context(), key("held"))
	must(t, err)
	defer unlock()
	must(t, os.WriteFile(filepath.Join(string(l), locks, "left"), nil, 0o600))
	must(t, l.Sweep(time.Now()))
	if got := files(t, l, locks); len(got) != 2 {
		t.Errorf("fresh locks were swept: %q are left", got)
	}
	must(t, l.Sweep(time.Now().Add(2*maxTmpAge)))
	if got := files(t, l, locks); len(got) != 1 || got[0] != key("held").fileName() {
		t.Errorf("%q are left", got)
	}
}
