// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
)

// watcher stands in the place of a plugin, writes down the verb, the container ID and the
// time of each call, and then becomes the plugin.
const watcher = `#!/bin/sh
echo "$CNI_COMMAND $CNI_CONTAINERID $(date +%s%N)" >>CALLS
exec PLUGIN
`

// Watch has the calls of a plugin written down from now on, by any caller.
func (s *Rig) Watch(plugin string) error {
	if err := os.MkdirAll(s.watched(), 0o755); err != nil {
		return fmt.Errorf("watch plugin: %w", err)
	}
	installed, away := filepath.Join(s.site.Bin, plugin), filepath.Join(s.watched(), plugin)
	if err := os.Rename(installed, away); err != nil {
		return fmt.Errorf("watch plugin: %w", err)
	}
	script := strings.NewReplacer("CALLS", s.callsOf(plugin), "PLUGIN", away).Replace(watcher)
	if err := os.WriteFile(installed, []byte(script), 0o755); err != nil {
		return fmt.Errorf("watch plugin: %w", err)
	}
	return nil
}

// SeeOneDEL looks whether a plugin that is watched was called for the DEL of each pod
// once, and of any at all.
func (s *Rig) SeeOneDEL(plugin string) error {
	calls, err := s.calls(plugin, "DEL")
	if err != nil {
		return err
	}
	var dels []string
	for _, c := range calls {
		dels = append(dels, c.id)
	}
	slices.Sort(dels)
	once := len(dels) > 0 && len(slices.Compact(slices.Clone(dels))) == len(dels)
	s.See(claim.ReleasedOnce, once, fmt.Sprintf("it is called for %q", dels))
	return nil
}

// CallsOf returns the times at which a plugin that is watched was called with the verb.
func (s *Rig) CallsOf(plugin, verb string) ([]time.Time, error) {
	calls, err := s.calls(plugin, verb)
	var times []time.Time
	for _, c := range calls {
		times = append(times, c.at)
	}
	return times, err
}

// A call is one of a plugin that is watched.
type call struct {
	id string
	at time.Time
}

func (s *Rig) calls(plugin, verb string) ([]call, error) {
	text, err := os.ReadFile(s.callsOf(plugin))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read calls of plugin: %w", err)
	}
	var calls []call
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != verb {
			continue
		}
		nanos, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read calls of plugin: %w", err)
		}
		calls = append(calls, call{fields[1], time.Unix(0, nanos)})
	}
	return calls, nil
}

// Logged returns the lines of the runtime's log that have the words in them, without
// the time.
func (s *Rig) Logged(words string) ([]string, error) {
	log, err := os.ReadFile(s.site.Log)
	if err != nil {
		return nil, fmt.Errorf("read log of the runtime: %w", err)
	}
	var found []string
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(words)) {
			_, rest, _ := strings.Cut(string(line), " ")
			found = append(found, strings.TrimSpace(rest))
		}
	}
	return found, nil
}

func (s *Rig) watched() string { return filepath.Join(s.site.Disk, "watched") }

func (s *Rig) callsOf(plugin string) string { return filepath.Join(s.watched(), plugin+".calls") }
