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
	"strings"
	"syscall"
	"time"
)

// How many files each directory keeps. A sweep reads a whole directory, so only one
// DEL in sweepEvery sweeps, and a directory may exceed its bound until then.
const (
	maxRetired  = 512  // a repeated DEL comes within minutes; far fewer pods end in that time
	maxReleased = 4096 // at every GC until the next boot, libcni repeats the DEL of what was released
	maxLive     = 4096 // eight times the pods of a kubelet; more are attachments without a DEL
	sweepEvery  = 256
	maxTmpAge   = time.Minute // writing a record takes well under a millisecond
)

// Collect removes the records of the network whose keys are not valid, and returns
// how many it removed. It keeps the records of released attachments, also of those
// released in part: at every GC, libcni repeats the DEL of an attachment that is
// still in its cache.
func (l Ledger) Collect(network string, valid []Key) (int, error) {
	keep := make(map[string]bool, len(valid))
	for _, k := range valid {
		keep[k.fileName()] = true
	}
	removed := 0
	for _, name := range []string{live, gone} {
		dir := filepath.Join(string(l), name)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("collect records: %w", err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if keep[e.Name()] || !strings.HasPrefix(e.Name(), network+":") || hasRelease(path) {
				continue
			}
			if err := os.Remove(path); err == nil {
				removed++
			}
		}
	}
	return removed, nil
}

// hasRelease reports whether the record in the file says that a release has begun.
func hasRelease(path string) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	r, err := parseRecord(data)
	return err == nil && (r.Released || r.Release != nil)
}

// sweepSometimes sweeps for one key in sweepEvery. Container IDs are random, so
// their hash spreads the sweeps evenly without a counter on disk.
func (l Ledger) sweepSometimes(k Key) error {
	h := fnv.New32a()
	_, _ = h.Write([]byte(k.fileName()))
	if h.Sum32()%sweepEvery != 0 {
		return nil
	}
	return l.Sweep(time.Now())
}

// Sweep removes the oldest records beyond the bounds, and files that killed
// processes left behind.
func (l Ledger) Sweep(now time.Time) error {
	return errors.Join(
		l.sweepRetired(),
		l.sweep(live, maxLive, func(string, time.Time) bool { return true }),
		l.sweep(tmp, 0, func(_ string, changed time.Time) bool { return !changed.After(now.Add(-maxTmpAge)) }),
		l.sweepLocks(now.Add(-maxTmpAge)),
	)
}

// sweepRetired keeps records of released attachments longer than others. Without
// its record an attachment would be released again when another pod has the address.
func (l Ledger) sweepRetired() error {
	releases := 0
	return l.sweep(gone, maxRetired, func(path string, _ time.Time) bool {
		if !hasRelease(path) {
			return true
		}
		releases++
		return releases > maxReleased
	})
}

// sweep keeps the newest files of a directory. It passes the path and the change
// time of each of the others to removable, newest first, and removes those for which
// it returns true.
func (l Ledger) sweep(name string, keep int, removable func(path string, changed time.Time) bool) error {
	dir := filepath.Join(string(l), name)
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
		if !removable(path, changed[e.Name()]) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sweep ledger: %w", err)
		}
	}
	return nil
}

// changeTime returns when the file was last renamed or written. rename(2) does not
// change the modification time.
func changeTime(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Sec, st.Ctim.Nsec)
	}
	return info.ModTime()
}
