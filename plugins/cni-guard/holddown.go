// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A holdDown remembers since when STATUS has seen each finding of a check. A file of
// the check's name has the findings, each with the time when it was first seen. The
// file's modification time is when they were last seen.
type holdDown struct {
	dir    string
	period time.Duration
}

// silence is how long a finding may go unseen and still be the same one when it is
// seen again: meanwhile nobody asked, or the check could not tell. Runtimes ask every
// five seconds; one that asks more seldom than this never hears of a finding.
func (h holdDown) silence() time.Duration { return max(3*h.period, time.Minute) }

// A sight is what one look made of the findings of a check.
type sight struct {
	news   bool // one of them was not there at the last look
	stands bool // one that is not minor has been there for the whole period
}

// see takes note of the findings that a check has; none forgets what was known. It
// is not called where the check could not tell, which is neither a finding nor the
// end of one. Where it cannot remember, nothing ever stands: a folder that cannot be
// written must not make a node NotReady.
func (h holdDown) see(check string, findings []guard.Finding, now time.Time) (sight, error) {
	path := filepath.Join(h.dir, check)
	if len(findings) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sight{}, fmt.Errorf("forget findings: %w", err)
		}
		return sight{}, nil
	}
	before := h.load(path, now)
	seen := make(map[string]time.Time, len(findings))
	var s sight
	for _, f := range findings {
		first, known := before[f.String()]
		if !known || first.After(now) { // the clock was set back
			first = now
		}
		s.news = s.news || !known
		s.stands = s.stands || !f.Minor && now.Sub(first) >= h.period
		seen[f.String()] = first
	}
	if err := h.store(path, seen); err != nil {
		return sight{news: s.news}, fmt.Errorf("remember findings: %w", err)
	}
	return s, nil
}

// load returns what was seen before; nothing where that is too long ago to be the
// same, or cannot be read.
func (h holdDown) load(path string, now time.Time) map[string]time.Time {
	info, err := os.Stat(path)
	if err != nil || now.Sub(info.ModTime()).Abs() > h.silence() {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var seen map[string]time.Time
	if json.Unmarshal(data, &seen) != nil { // torn by a full disk
		return nil
	}
	return seen
}

func (h holdDown) store(path string, seen map[string]time.Time) error {
	data, err := json.Marshal(seen)
	if err == nil {
		err = os.MkdirAll(h.dir, 0o700)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
