// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A repairLog counts what a check has repaired since the node booted: a value that
// another program resets repeatedly is reported with the number of repairs.
type repairLog struct {
	file string
	t    *Target
}

// A repairCount is how often one thing was repaired.
type repairCount struct {
	N     int       `json:"n"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// repairsMost bounds how many things a check counts.
const repairsMost = 64

// repairs returns the log of a check.
func (t *Target) repairs(check string) repairLog {
	if t.StateDir == "" {
		return repairLog{}
	}
	return repairLog{filepath.Join(t.StateDir, check, "repairs.json"), t}
}

// read returns the counts; none where they cannot be read.
func (l repairLog) read() map[string]repairCount {
	counts := map[string]repairCount{}
	if l.file == "" {
		return counts
	}
	if data, err := l.t.readState(l.file); err == nil && json.Unmarshal(data, &counts) != nil {
		return map[string]repairCount{}
	}
	return counts
}

// before returns a clause that says how often something was repaired before: the
// format with "3 times since TIME" in it. It returns "" where it was not.
func (l repairLog) before(what, format string) string {
	count := l.read()[what]
	times := fmt.Sprintf("%d times", count.N)
	switch count.N {
	case 0:
		return ""
	case 1:
		times = "once"
	}
	return fmt.Sprintf(format, times+" since "+count.First.UTC().Format(time.RFC3339))
}

// add counts a repair. Two processes that count at the same time may lose one: the
// count is for people.
func (l repairLog) add(what string, now time.Time) {
	if l.file == "" {
		return
	}
	counts := l.read()
	count := counts[what]
	if count.N == 0 {
		if len(counts) >= repairsMost {
			return
		}
		count.First = now
	}
	count.N, count.Last = count.N+1, now
	counts[what] = count
	data, err := json.Marshal(counts)
	if err == nil && os.MkdirAll(filepath.Dir(l.file), 0o700) == nil {
		_ = os.WriteFile(l.file, data, 0o600) // a damaged file starts a new count
	}
}
