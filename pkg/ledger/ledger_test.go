// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory returns a new directory in memory, as the ledger has it on a node, or on
// disk where there is no such place.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ledger-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func key(container string) Key {
	return Key{Network: "pods", ContainerID: container, IfName: "eth0"}
}

func record(k Key) *Record {
	return &Record{
		Key:    k,
		BootID: "0d7d1c5e-6bd1-4d0c-9d3a-8a1f4b0f4a51",
		Cookie: 1<<64 - 1,
		Netns:  "/run/netns/pod",
		MAC:    "0a:58:0a:f4:01:07",
		Addrs:  []netip.Prefix{netip.MustParsePrefix("10.244.1.7/24"), netip.MustParsePrefix("fd00::7/64")},
		Pod:    "default/web",
		Added:  time.Date(2024, 5, 6, 7, 8, 9, 10, time.UTC),
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files lists what is in a directory of the ledger.
func files(t testing.TB, l Ledger, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(string(l), folder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPutGetRetire(t *testing.T) {
	l := Ledger(filepath.Join(memory(t), "not", "yet", "there"))
	k := key("a1")
	if _, err := l.Get(k); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty ledger returns error %v, want fs.ErrNotExist", err)
	}
	must(t, l.Retire(k)) // nothing to retire
	want := record(k)
	must(t, l.Put(want))
	for _, when := range []string{"recorded", "retired", "retired twice"} {
		got, err := l.Get(k)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, error %v, want %+v", when, got, err, want)
		}
		must(t, l.Retire(k))
		want.Retired = true
	}
	if live, gone := files(t, l, live), files(t, l, gone); len(live) != 0 || len(gone) != 1 || gone[0] != "pods:a1:eth0" {
		t.Errorf("live has %q, gone has %q", live, gone)
	}
	// The same name lives again: what was is replaced.
	again := record(k)
	again.Cookie = 7
	must(t, l.Put(again))
	if got, err := l.Get(k); err != nil || got.Cookie != 7 {
		t.Errorf("recorded again: %+v, error %v", got, err)
	}
	if left := files(t, l, tmp); len(left) > 0 {
		t.Errorf("%q are left half-written", left)
	}
}

// What was released stays known, however often DEL and GC come, until the name
// lives again.
func TestPutReleased(t *testing.T) {
	l, k := Ledger(memory(t)), key("a1")
	must(t, l.Put(record(k)))
	must(t, l.PutReleased(*record(k)))
	must(t, l.Retire(k))
	if _, err := l.Collect("pods", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Get(k); err != nil || !got.Released || !got.Retired {
		t.Errorf("after DEL and GC: %+v, error %v", got, err)
	}
	if live := files(t, l, live); len(live) > 0 {
		t.Errorf("%q is still live", live)
	}
	must(t, l.Put(record(k)))
	if got, err := l.Get(k); err != nil || got.Released || got.Retired {
		t.Errorf("recorded again: %+v, error %v", got, err)
	}
	never := key("a2")
	must(t, l.PutReleased(*record(never)))
	if got, err := l.Get(never); err != nil || !got.Released {
		t.Errorf("released, never recorded: %+v, error %v", got, err)
	}
}

func TestForget(t *testing.T) {
	l, live, retired := Ledger(memory(t)), key("a1"), key("a2")
	must(t, l.Forget(live)) // nothing to forget
	must(t, l.Put(record(live)))
	must(t, l.Put(record(retired)))
	must(t, l.Retire(retired))
	for _, k := range []Key{live, retired} {
		must(t, l.Forget(k))
		if _, err := l.Get(k); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v forgotten: error %v, want fs.ErrNotExist", k, err)
		}
	}
}

// Other users of the node have no business here.
func TestModes(t *testing.T) {
	l := Ledger(filepath.Join(memory(t), "state"))
	must(t, l.Put(record(key("a1"))))
	for path, want := range map[string]fs.FileMode{"": 0o700, live: 0o700, gone: 0o700, tmp: 0o700, live + "/pods:a1:eth0": 0o600} {
		info, err := os.Stat(filepath.Join(string(l), path))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

func TestOtherKeys(t *testing.T) {
	l := Ledger(memory(t))
	must(t, l.Put(record(key("a1"))))
	for _, k := range []Key{
		key("a2"), {"pods", "a1", "eth1"}, {"other", "a1", "eth0"}, {"pods:a1", "eth0", ""}, {},
	} {
		if r, err := l.Get(k); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%v) = %+v, error %v, want fs.ErrNotExist", k, r, err)
		}
		must(t, l.Retire(k))
	}
	if got := files(t, l, live); len(got) != 1 {
		t.Errorf("live has %q", got)
	}
}

// Names may be as long and as odd as CNI allows, and longer and odder.
func TestNames(t *testing.T) {
	l := Ledger(memory(t))
	long := strings.Repeat("n", 300)
	keys := []Key{
		{"pods", strings.Repeat("c", 64), "eth0"},
		{"pods", long, "eth0"}, {"pods", long, "eth1"}, {long, "a1", "eth0"}, {long, long, long},
		{"pods", strings.Repeat("c", 189), "eth0"}, {"pods", strings.Repeat("c", 190), "eth0"}, // 199 and 200 bytes
		{"pods", strings.Repeat("c", 191), "eth0"}, // 201
		{"Pods.v1_2-x", "A.b_c-d", "eth0.100"},
		{"pods", "a b\tc\nd", "eth0@x"}, {"pods", "ünïcödé-☃", "eth0"}, {"pods", "\xff\xfe", "eth0"},
		{"..", "..", ".."}, {".", ".", "."}, {"", "", "-rf"}, {"../../x", "a1", "eth0"}, {"pods", "a/../../../b", "eth0"}, {"/etc", "/", "/"},
	}
	for _, k := range keys {
		if k.Network == "" {
			continue // parseRecord refuses it
		}
		want := record(k)
		if err := l.Put(want); err != nil {
			t.Errorf("Put(%.40q): %v", k, err)
			continue
		}
		for range 2 {
			if got, err := l.Get(k); err != nil && validUTF8(k) || err == nil && got.Key != k {
				t.Errorf("Get(%.40q) = %+v, error %v", k, got, err)
			}
			must(t, l.Retire(k))
		}
	}
	if got := len(files(t, l, gone)); got != len(keys)-1 {
		t.Errorf("gone has %d files, want one for each of %d keys", got, len(keys)-1)
	}
	if outside, _ := filepath.Glob(filepath.Join(string(l), "*")); len(outside) != 3 {
		t.Errorf("the ledger has %q, want its three directories", outside)
	}
}

// JSON replaces what is no UTF-8, so that such a key is never found again: no
// evidence, which is the safe side. The CNI spec allows no such names.
func validUTF8(k Key) bool { return strings.ToValidUTF8(fmt.Sprint(k), "") == fmt.Sprint(k) }

// Two keys may come to one file name only where a colon is in a name, which CNI
// forbids. Then the record is that of neither but the one that wrote it.
func TestKeysOfOneFileName(t *testing.T) {
	l := Ledger(memory(t))
	must(t, l.Put(record(Key{"a:b", "c", "eth0"})))
	if r, err := l.Get(Key{"a", "b:c", "eth0"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the record of another: %+v, error %v", r, err)
	}
}

func TestConcurrently(t *testing.T) {
	l := Ledger(filepath.Join(memory(t), "state"))
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			k := key(fmt.Sprintf("c%d", i))
			err := l.Put(record(k))
			if i%2 == 0 {
				err = errors.Join(err, l.Retire(k))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 200 {
		if _, err := l.Get(key(fmt.Sprintf("c%d", i))); err != nil {
			t.Error(err)
		}
	}
	if live, gone := len(files(t, l, live)), len(files(t, l, gone)); live != 100 || gone != 100 {
		t.Errorf("%d records are live, %d gone, want 100 and 100", live, gone)
	}
}

// Two processes that work on one attachment at once: either order is right, and
// there is a whole record at any moment.
func TestOneKeyConcurrently(t *testing.T) {
	l := Ledger(memory(t))
	k := key("a1")
	must(t, l.Put(record(k)))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				if err := errors.Join(l.Put(record(k)), l.Retire(k)); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 100 {
				if _, err := l.Get(k); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
