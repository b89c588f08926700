// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// containerID returns a container ID as a runtime does: 64 hexadecimal digits.
func containerID(i int) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(i)))) }

// fill writes empty files into a directory of the ledger.
func fill(t testing.TB, l Ledger, folder string, count int, prefix string) {
	t.Helper()
	must(t, l.makeDirs())
	for i := range count {
		must(t, os.WriteFile(filepath.Join(string(l), folder, fmt.Sprintf("%s%d", prefix, i)), nil, 0o600))
	}
}

// tick waits until the file system's clock has moved on.
func tick(t *testing.T, l Ledger) {
	t.Helper()
	stamp := func() time.Time {
		path := filepath.Join(string(l), "clock")
		must(t, os.WriteFile(path, []byte("tick"), 0o600))
		info, err := os.Stat(path)
		must(t, err)
		return changeTime(info)
	}
	for begin := stamp(); stamp().Equal(begin); {
	}
	must(t, os.Remove(filepath.Join(string(l), "clock")))
}

func TestSweepKeepsNewest(t *testing.T) {
	for folder, keep := range map[string]int{live: maxLive, gone: maxRetired} {
		l := Ledger(memory(t))
		fill(t, l, folder, 20, "old")
		tick(t, l)
		fill(t, l, folder, keep-5, "new")
		must(t, l.Sweep(time.Now()))
		got := files(t, l, folder)
		old := slices.DeleteFunc(slices.Clone(got), func(name string) bool { return !strings.HasPrefix(name, "old") })
		if len(got) != keep || len(old) != 5 {
			t.Errorf("%s keeps %d files, %d of them old; want %d and 5", folder, len(got), len(old), keep)
		}
	}
}

// A record that was retired just now is young, however long its pod lived.
func TestSweepGoesByRetirement(t *testing.T) {
	l := Ledger(memory(t))
	must(t, l.Put(record(key("long-lived"))))
	tick(t, l)
	fill(t, l, gone, maxRetired, "later")
	tick(t, l)
	must(t, l.Retire(key("long-lived")))
	must(t, l.Sweep(time.Now()))
	if _, err := l.Get(key("long-lived")); err != nil {
		t.Error(err)
	}
	if got := len(files(t, l, gone)); got != maxRetired {
		t.Errorf("gone keeps %d files, want %d", got, maxRetired)
	}
}

// What was released stays marked while many other pods end: libcni repeats its DEL at
// every GC. The marks are bounded as well.
func TestSweepKeepsMarks(t *testing.T) {
	l := Ledger(memory(t))
	whole, part := record(key("whole")), record(key("part"))
	part.Release = &Release{Called: []string{"firewall"}}
	must(t, l.PutReleased(*whole))
	must(t, l.Mark(*part))
	tick(t, l)
	fill(t, l, gone, maxRetired+100, "later")
	must(t, l.Sweep(time.Now()))
	for _, id := range []string{"whole", "part"} {
		if _, err := l.Get(key(id)); err != nil {
			t.Error(err)
		}
	}
	if got := len(files(t, l, gone)); got != maxRetired+2 {
		t.Errorf("gone keeps %d files, want %d", got, maxRetired+2)
	}
	data, err := os.ReadFile(l.path(gone, key("whole")))
	must(t, err)
	for i := range maxReleased + maxRetired {
		must(t, os.WriteFile(filepath.Join(string(l), gone, fmt.Sprint("mark", i)), data, 0o600))
	}
	must(t, l.Sweep(time.Now()))
	if got := len(files(t, l, gone)); got != maxRetired+maxReleased {
		t.Errorf("gone keeps %d files with many marks, want %d", got, maxRetired+maxReleased)
	}
}

// What a killed process left half-written goes, and not what is being written.
func TestSweepHalfWritten(t *testing.T) {
	l := Ledger(memory(t))
	fill(t, l, tmp, 3, "half")
	must(t, l.Sweep(time.Now()))
	if got := files(t, l, tmp); len(got) != 3 {
		t.Errorf("a moment later tmp has %q, want all", got)
	}
	must(t, l.Sweep(time.Now().Add(2*maxTmpAge)))
	if got := files(t, l, tmp); len(got) != 0 {
		t.Errorf("minutes later tmp has %q, want none", got)
	}
}

func TestSweepOfNothing(t *testing.T) {
	must(t, Ledger(filepath.Join(memory(t), "missing")).Sweep(time.Now()))
}

// A node that starts and ends pods for years keeps no more than this.
func TestBoundOver100000(t *testing.T) {
	pods := 100_000
	if testing.Short() || raceEnabled {
		pods = 10_000
	}
	const bound = maxRetired + 10*sweepEvery // the sweeps are spread by chance
	l := Ledger(memory(t))
	for i := range pods {
		k := key(containerID(i))
		must(t, l.Put(&Record{Key: k, BootID: "b"}))
		must(t, l.Retire(k))
		if i%1000 == 999 {
			if got := len(files(t, l, gone)); got > bound {
				t.Fatalf("after %d pods gone has %d files, want at most %d", i+1, got, bound)
			}
		}
	}
	if live, tmp := files(t, l, live), files(t, l, tmp); len(live)+len(tmp) > 0 {
		t.Errorf("%d files are left in live, %d in tmp", len(live), len(tmp))
	}
	if _, err := l.Get(key(containerID(pods - 1))); err != nil {
		t.Errorf("the last pod's record is gone: %v", err)
	}
}

// Attachments whose DEL never came are bounded as well, by the DELs of others.
func TestBoundWithoutDel(t *testing.T) {
	l := Ledger(memory(t))
	fill(t, l, live, maxLive+1000, "lost")
	for i := range 10 * sweepEvery {
		must(t, l.Retire(key(containerID(i))))
	}
	if got := len(files(t, l, live)); got != maxLive {
		t.Errorf("live has %d files, want %d", got, maxLive)
	}
}

func TestCollect(t *testing.T) {
	l := Ledger(memory(t))
	keep, drop := key("a1"), key("a2")
	retired, kept := key("a3"), key("a4")
	other := Key{"pods2", "a2", "eth0"}
	longer := Key{"pod", "a2", "eth0"}
	for _, k := range []Key{keep, drop, retired, kept, other, longer} {
		must(t, l.Put(record(k)))
	}
	must(t, l.Retire(retired))
	must(t, l.Retire(kept))
	forgotten, err := l.Collect("pods", []Key{keep, kept, {"pods", "a9", "eth0"}})
	if err != nil || forgotten != 2 {
		t.Errorf("%d forgotten, error %v, want 2", forgotten, err)
	}
	for k, want := range map[Key]bool{keep: true, drop: false, retired: false, kept: true, other: true, longer: true} {
		if _, err := l.Get(k); (err == nil) != want {
			t.Errorf("%v is there: %t, want %t", k, err == nil, want)
		}
	}
	if forgotten, err := l.Collect("pods", nil); err != nil || forgotten != 2 {
		t.Errorf("with no valid attachment %d forgotten, error %v, want 2", forgotten, err)
	}
	if forgotten, err := Ledger(filepath.Join(memory(t), "missing")).Collect("pods", nil); err != nil || forgotten != 0 {
		t.Errorf("of no ledger %d forgotten, error %v", forgotten, err)
	}
}
