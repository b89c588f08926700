// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// What the folders keep. A sweep reads a whole folder, so only one DEL in
// sweepEvery pays for one, and a folder may grow beyond its bound until then.
const (
	keepGone   = 512  // repeated DELs come within minutes, far fewer pods end meanwhile
	keepMarks  = 4096 // libcni repeats the DEL of what was released at every GC, until the next boot
	keepLive   = 4096 // eight times what a kubelet runs; more are attachments without DEL
	sweepEvery = 256
	keepTmp    = time.Minute // a record is written in well under a millisecond
)

// sweepSometimes sweeps for one key in sweepEvery. Container IDs are random, so
// their hash spreads the sweeps evenly and needs no counter on disk.
func (l Ledger) sweepSometimes(k Key) error {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.fileName()))
	if h.Sum32()%sweepEvery != 0 {
		return nil
	}
	return l.Sweep(time.Now())
}

// Sweep removes the oldest records beyond the bounds, and what killed processes
// left half-written.
func (l Ledger) Sweep(now time.Time) error {
	return errors.Join(
		l.sweepGone(),
		l.sweep(live, keepLive, everything),
		l.sweep(tmp, 0, func(_ string, changed time.Time) bool { return !changed.After(now.Add(-keepTmp)) }),
		l.sweepLocks(now.Add(-keepTmp)),
	)
}

// sweepGone keeps the marks of what was released longer than other records: without
// its mark it would be released again, when another pod has the address.
func (l Ledger) sweepGone() error {
	marks := 0
	return l.sweep(gone, keepGone, func(path string, _ time.Time) bool {
		if !released(path) {
			return true
		}
		marks++
		return marks > keepMarks
	})
}

// everything lets sweep remove all.
func everything(string, time.Time) bool { return true }

// sweep keeps the newest entries of a folder. Of the others, newest first, it removes
// those that may go by their path and the time when they changed.
func (l Ledger) sweep(folder string, keep int, mayGo func(path string, changed time.Time) bool) error {
	dir := filepath.Join(string(l), folder)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep ledger: %w", err)
	}
	if len(entries) <= keep {
		return nil
	}
	changed := make(map[string]time.Time, len(entries))
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			changed[e.Name()] = changeTime(info)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Compare(changed[b.Name()].UnixNano(), changed[a.Name()].UnixNano())
	})
	for _, e := range entries[keep:] {
		path := filepath.Join(dir, e.Name())
		if !mayGo(path, changed[e.Name()]) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sweep ledger: %w", err)
		}
	}
	return nil
}

// changeTime is when the entry was last renamed or written: rename(2) leaves
// the modification time as it was.
func changeTime(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Sec, st.Ctim.Nsec)
	}
	return info.ModTime()
}
