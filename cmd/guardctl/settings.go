// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A guardEntry is what the effective conflist says to cni-guard. The zero
// guardEntry stands for a node where it says nothing.
type guardEntry struct {
	Settings guard.Settings
	Options  checks.Options
	StateDir string
	From     string // the file; "" where there is no such entry
}

func defaultEntry() guardEntry {
	return guardEntry{Options: checks.DefaultOptions(), StateDir: "/run/cni-guard"}
}

// readGuardEntry reads the guard's entry in one file of the conf dir, the last
// where there are two. A file without one gives the defaults.
func readGuardEntry(dir, name string) (guardEntry, error) {
	e := defaultEntry()
	list, err := conflist.Read(dir, name)
	if err != nil {
		return e, fmt.Errorf("read %s: %w", filepath.Join(dir, name), err)
	}
	for _, p := range list.Plugins {
		if p.Type != conflist.GuardType {
			continue
		}
		e.From = filepath.Join(dir, name)
		if err := e.read(p.Raw); err != nil {
			return e, fmt.Errorf("read the entry of cni-guard in %s: %w", e.From, err)
		}
	}
	return e, nil
}

func (e *guardEntry) read(raw json.RawMessage) error {
	var keys struct {
		Mode, Checks json.RawMessage
		StateDir     *string
	}
	if err := json.Unmarshal(raw, &keys); err != nil {
		return err
	}
	if keys.StateDir != nil {
		e.StateDir = *keys.StateDir
	}
	var err error
	e.Settings, err = guard.ParseSettings(keys.Mode, keys.Checks, checks.Names(), e.Options.Of)
	return err
}
