// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A holdDown remembers since when a check has had a finding, as the
// modification time of a file of the check's name.
type holdDown struct {
	dir    string
	period time.Duration
}

// see takes note of what a check found. It tells whether the finding is new and
// whether it has stood for the whole period. Where it cannot remember, nothing
// ever stands: a folder that cannot be written must not make a node NotReady.
func (h holdDown) see(check string, found bool, now time.Time) (first, stands bool, err error) {
	path := filepath.Join(h.dir, check)
	if !found {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, false, fmt.Errorf("forget finding: %w", err)
		}
		return false, false, nil
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return false, false, fmt.Errorf("remember finding: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		file.Close()
		return true, h.period == 0, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, false, fmt.Errorf("remember finding: %w", err)
	}
	return false, now.Sub(info.ModTime()) >= h.period, nil
}
