// SPDX-License-Identifier: Apache-2.0

package events_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/events"
)

func key(id int) events.Key {
	return events.Key{Command: "DEL", ContainerID: fmt.Sprint(id), Check: "host-netns", State: "held", Message: "refused"}
}

// Of a hundred repeats the first, the tenth and the hundredth are written.
func TestRepeats(t *testing.T) {
	r, now := events.Repeats{Dir: filepath.Join(t.TempDir(), "state")}, time.Now()
	var due []int
	for n := 1; n <= 100; n++ {
		c, worth := r.Add(key(1), now.Add(time.Duration(n)*10*time.Second))
		if worth {
			due = append(due, c.N)
		}
		if c.N != n {
			t.Fatalf("repeat %d has the count %d", n, c.N)
		}
	}
	if want := []int{1, 10, 100}; !slices.Equal(due, want) {
		t.Errorf("lines for %v, want %v", due, want)
	}
	c := r.Load()[key(1).String()]
	if c.N != 100 || c.First.Unix() != now.Add(10*time.Second).Unix() || c.Last.Unix() != now.Add(1000*time.Second).Unix() {
		t.Errorf("%+v", c)
	}
}

// Events that differ in any part of the key are counted separately.
func TestRepeatsDiffer(t *testing.T) {
	r, now := events.Repeats{Dir: t.TempDir()}, time.Now()
	k := key(1)
	for _, other := range []func(*events.Key){
		func(*events.Key) {},
		func(k *events.Key) { k.Command = "ADD" },
		func(k *events.Key) { k.Network = "n" },
		func(k *events.Key) { k.ContainerID = "2" },
		func(k *events.Key) { k.IfName = "net1" },
		func(k *events.Key) { k.Check = "foreign-netns" },
		func(k *events.Key) { k.State = "released" },
		func(k *events.Key) { k.Policy = "warn" },
		func(k *events.Key) { k.Message = "other" },
		func(k *events.Key) { k.Cause = "trouble" },
		func(k *events.Key) { k.State, k.Policy = "hel", "d" },
	} {
		k := k
		other(&k)
		if c, due := r.Add(k, now); c.N != 1 || !due {
			t.Errorf("%+v: %+v, due %t", k, c, due)
		}
	}
}

// Errors that differ only in numbers and IDs, as those of a network's daemon do, are the
// same event.
func TestRepeatsDifferOnlyInNumbers(t *testing.T) {
	r, now := events.Repeats{Dir: t.TempDir()}, time.Now()
	lines := 0
	for n := range 100 {
		k := key(1)
		k.Cause = fmt.Sprintf("dial tcp 127.0.0.1:%d: connection refused after %d.%03ds, request %08x-1b", 30000+n, n%7, n, n*2654435761)
		if _, due := r.Add(k, now); due {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d lines for 100 attempts, want 3", lines)
	}
	k := key(1)
	k.Cause = "dial tcp 127.0.0.1:30000: permission denied after 1.001s, request 0-1b"
	if c, due := r.Add(k, now); c.N != 1 || !due {
		t.Errorf("other words: %+v, due %t", c, due)
	}
}

// An event that did not happen for an hour counts as new.
func TestRepeatsForgotten(t *testing.T) {
	r, now := events.Repeats{Dir: t.TempDir()}, time.Now()
	r.Add(key(1), now)
	if c, due := r.Add(key(1), now.Add(59*time.Minute)); c.N != 2 || due {
		t.Errorf("within the hour: %+v, due %t", c, due)
	}
	if c, due := r.Add(key(1), now.Add(59*time.Minute+61*time.Minute)); c.N != 1 || !due {
		t.Errorf("after an hour: %+v, due %t", c, due)
	}
}

// However many removals fail at once, the number of lines is bounded: events beyond
// maxRepeats share one count.
func TestRepeatsOfMany(t *testing.T) {
	r, now := events.Repeats{Dir: t.TempDir()}, time.Now()
	lines := 0
	for range 2 {
		for id := range 350 {
			if c, due := r.Add(key(id), now); due {
				lines++
			} else if id >= 300 && !c.Shared {
				t.Fatalf("sandbox %d is counted apart", id)
			}
		}
	}
	if lines < 256 || lines > 256+10 {
		t.Errorf("%d lines for 700 events of 350 sandboxes", lines)
	}
	// When they have gone, there is room again.
	if c, due := r.Add(key(5000), now.Add(2*time.Hour)); c.Shared || c.N != 1 || !due {
		t.Errorf("later: %+v, due %t", c, due)
	}
}

// An event that cannot be counted is written: no event is lost because of the counts.
func TestRepeatsUncounted(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	path := filepath.Join(dir, "repeats.json")
	must(t, os.WriteFile(path, []byte(`{"torn`), 0o600))
	r := events.Repeats{Dir: dir}
	if c, due := r.Add(key(1), now); c.N != 1 || !due {
		t.Errorf("torn: %+v, due %t", c, due)
	}
	if c, due := r.Add(key(1), now); c.N != 2 || due {
		t.Errorf("after it: %+v, due %t", c, due)
	}
	held, err := os.Open(path)
	must(t, err)
	defer held.Close()
	must(t, unix.Flock(int(held.Fd()), unix.LOCK_EX))
	if c, due := r.Add(key(1), now); c.N != 1 || !due {
		t.Errorf("locked: %+v, due %t", c, due)
	}
	if c, due := (events.Repeats{Dir: "/proc/nowhere"}).Add(key(1), now); c.N != 1 || !due {
		t.Errorf("no directory: %+v, due %t", c, due)
	}
	must(t, os.WriteFile(filepath.Join(dir, "target"), nil, 0o600))
	must(t, os.Remove(path))
	must(t, os.Symlink("target", path))
	if c, due := r.Add(key(1), now); c.N != 1 || !due {
		t.Errorf("symlink: %+v, due %t", c, due)
	}
}

func TestRepeatsAtOnce(t *testing.T) {
	r, now := events.Repeats{Dir: t.TempDir()}, time.Now()
	var wait sync.WaitGroup
	var mu sync.Mutex
	counted := 0
	for range 50 {
		wait.Go(func() {
			if c, due := r.Add(key(1), now); c.N > 1 || !due {
				mu.Lock()
				counted++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if c := r.Load()[key(1).String()]; c.N < counted {
		t.Errorf("%d were counted, and the file has %d", counted, c.N)
	}
}

// Latest sets the present count in the last event of a key.
func TestLatest(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	r := events.Repeats{Dir: dir}
	for n := range 25 {
		r.Add(key(1), now.Add(time.Duration(n)*time.Second))
	}
	r.Add(key(2), now)
	of := func(id, count int) events.Event {
		k := key(id)
		return events.Event{Time: now, Command: k.Command, ContainerID: k.ContainerID, Check: k.Check, State: k.State, Message: k.Message, Count: count}
	}
	all := []events.Event{of(1, 0), of(2, 0), of(1, 10)}
	events.Latest(dir, all)
	if all[0].Count != 0 || all[1].Count != 0 || all[2].Count != 25 || !all[2].Last.After(now) {
		t.Errorf("counts %d, %d, %d, last %v", all[0].Count, all[1].Count, all[2].Count, all[2].Last)
	}
}
