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

// A holdDown stores since when STATUS has seen each finding of a check. A file with the
// name of the check has its findings, each with the time when it was first seen. The
// modification time of the file is when they were last seen.
type holdDown struct {
	dir    string
	period time.Duration
}

// forgetAfter returns how long a finding may go unseen and still be the same one when
// it is seen again: the runtime may not have asked meanwhile, or the check was unknown.
// kubelet asks its runtime every five seconds (updateRuntimeUp in pkg/kubelet), and
// containerd then calls STATUS. A caller that asks less often than forgetAfter never gets
// an error.
func (h holdDown) forgetAfter() time.Duration { return max(3*h.period, time.Minute) }

// An observation is what one STATUS made of the findings of a check.
type observation struct {
	isNew bool // one of them was not there at the last STATUS
	isDue bool // one that is not minor has been there for the whole period
}

// observe stores the findings of a check; without findings it deletes what was stored.
// It is not called for an unknown, which is neither a finding nor the end of one. If it
// cannot store, no finding is ever due: a directory that cannot be written must not make
// a node NotReady.
func (h holdDown) observe(check string, findings []guard.Finding, now time.Time) (observation, error) {
	path := filepath.Join(h.dir, check)
	if len(findings) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return observation{}, fmt.Errorf("delete findings: %w", err)
		}
		return observation{}, nil
	}
	before := h.load(path, now)
	seen := make(map[string]time.Time, len(findings))
	var s observation
	for _, f := range findings {
		first, known := before[f.String()]
		if !known || first.After(now) { // the clock was set back
			first = now
		}
		s.isNew = s.isNew || !known
		s.isDue = s.isDue || !f.Minor && now.Sub(first) >= h.period
		seen[f.String()] = first
	}
	if err := h.store(path, seen); err != nil {
		return observation{isNew: s.isNew}, fmt.Errorf("store findings: %w", err)
	}
	return s, nil
}

// load returns what was seen before. It returns nothing if that is too long ago to be
// the same, or cannot be read.
func (h holdDown) load(path string, now time.Time) map[string]time.Time {
	info, err := os.Stat(path)
	if err != nil || now.Sub(info.ModTime()).Abs() > h.forgetAfter() {
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
