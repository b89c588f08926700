// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A counted is what counters had at one time. It is kept in the state directory, so that
// the next run sees which of them grew.
type counted struct {
	Boot   string            `json:"boot"`
	At     time.Time         `json:"at"`
	Values map[string]uint64 `json:"values"`
	Since  time.Time         `json:"full,omitzero"` // since when every run found a table nearly full; zero: it was not
}

// A growth is what counters gained.
type growth struct {
	By   map[string]uint64 // those that grew
	From map[string]uint64 // what they had before
	Now  map[string]uint64
	Over string // "since 2026-01-02 03:04:05 UTC", "within 300ms"
}

// fresh is how long a stored reading is kept though counters grew, so that a second run
// shortly after reports the same.
const fresh = 10 * time.Minute

// countedPath is where a check keeps its last reading; "" where it can keep nothing.
func (t *Target) countedPath(check string) string {
	if t.StateDir == "" {
		return ""
	}
	return filepath.Join(t.StateDir, check, "counters.json")
}

// lastCounted returns the last reading of this boot; the zero value where there is none.
func (t *Target) lastCounted(check string) counted {
	var last counted
	path := t.countedPath(check)
	if path == "" {
		return last
	}
	text, err := t.readState(path)
	if err != nil || json.Unmarshal(text, &last) != nil || last.Boot != t.boot() {
		return counted{} // it is there for the next run
	}
	return last
}

// keepCounted writes a reading down. That it cannot be is no error: without it the check
// sees only what happens while it runs.
func (t *Target) keepCounted(check string, c counted) {
	path := t.countedPath(check)
	if path == "" || t.Files != nil {
		return
	}
	c.Boot = t.boot()
	text, err := json.Marshal(c)
	if err != nil || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	fresh := path + ".new"
	if os.WriteFile(fresh, text, 0o600) == nil {
		_ = os.Rename(fresh, path)
	}
}

// readState reads a file of the state directory.
func (t *Target) readState(path string) ([]byte, error) {
	file, err := hostfs.Or(t.Files).Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxState))
}

// maxState bounds a file of the state directory in bytes. Those of checks are smaller.
const maxState = 1 << 20

// boot identifies the boot; "" where that is not known.
func (t *Target) boot() string {
	id, _ := t.Node.Sysctl("kernel/random/boot_id")
	return id
}

// readCounters reads counters. Those that the kernel does not have are left out.
func (t *Target) readCounters(names ...string) (map[string]uint64, error) {
	return ReadCounters(t.Node, names...)
}

// ReadCounters reads counters of a node (netstate.View.Counter). Those that the kernel does
// not have are left out.
func ReadCounters(node netstate.View, names ...string) (map[string]uint64, error) {
	values := map[string]uint64{}
	for _, name := range names {
		value, err := node.Counter(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		values[name] = value
	}
	return values, nil
}

// growthSince compares a reading with an earlier one.
func growthSince(before counted, now map[string]uint64) growth {
	g := growth{By: map[string]uint64{}, From: before.Values, Now: now}
	g.Over = "since " + before.At.UTC().Format("2006-01-02 15:04:05 UTC")
	for name, value := range now {
		if had, ok := before.Values[name]; ok && value > had {
			g.By[name] = value - had
		}
	}
	return g
}

// WatchCounters reads counters of a node again and again until one of them is greater
// than it was, or the time is up. It returns the last reading, without the counters that
// the kernel does not have.
func WatchCounters(ctx context.Context, node netstate.View, were map[string]uint64, within time.Duration) (map[string]uint64, error) {
	const pause = 20 * time.Millisecond
	names := slices.Sorted(maps.Keys(were))
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	end := time.NewTimer(within)
	defer end.Stop()
	for {
		values, err := ReadCounters(node, names...)
		if err != nil || len(growthSince(counted{Values: were}, values).By) > 0 {
			return values, err
		}
		select {
		case <-ticker.C:
		case <-end.C:
			return values, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// watchCounters returns what counters gain in a time from now.
func (t *Target) watchCounters(ctx context.Context, now map[string]uint64, within time.Duration) (growth, error) {
	watch := t.WatchCounters
	if watch == nil {
		watch = func(ctx context.Context, were map[string]uint64, within time.Duration) (map[string]uint64, error) {
			return WatchCounters(ctx, t.Node, were, within)
		}
	}
	values, err := watch(ctx, now, within)
	if err != nil {
		return growth{}, err
	}
	g := growthSince(counted{Values: now}, values)
	g.Over = fmt.Sprintf("within %v", within)
	return g, nil
}

// growthOf returns what counters gained since the last run or, where there was none, in
// a short time from now. It keeps the reading for the next run.
func (t *Target) growthOf(ctx context.Context, check string, now map[string]uint64, since time.Time) (growth, error) {
	const short = 300 * time.Millisecond
	last := t.lastCounted(check)
	reading := counted{At: t.now(), Values: now, Since: since}
	if last.Values == nil {
		t.keepCounted(check, reading)
		return t.watchCounters(ctx, now, short)
	}
	g := growthSince(last, now)
	if len(g.By) > 0 && t.now().Sub(last.At) < fresh {
		reading.At, reading.Values = last.At, last.Values
	}
	t.keepCounted(check, reading)
	return g, nil
}
