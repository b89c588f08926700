// SPDX-License-Identifier: Apache-2.0

// Package confdiff compares a conf dir with what it was when guardctl installed the guard,
// for guardctl conf diff and for the check conf-changes.
package confdiff

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// Changes say how a conf dir differs from the installation record.
type Changes struct {
	Since       time.Time `json:"since"`
	Dir         string    `json:"dir"`
	Runtime     string    `json:"runtime"`
	Title       string    `json:"-"` // display name of the runtime
	Then        string    `json:"effectiveThen"`
	Effective   string    `json:"effective"` // now; "" if none is
	Added       []string  `json:"added"`
	Removed     []string  `json:"removed"`
	Changed     []string  `json:"changed"`
	Quarantined []string  `json:"quarantined"`
	Diff        string    `json:"diff,omitempty"` // of the file that was effective then, unified
}

// Any reports whether anything differs.
func (c Changes) Any() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.Quarantined) > 0 || c.Then != c.Effective
}

// Compare compares the conf dir of a site with the record.
func Compare(s site.Site, r *installer.Record) (Changes, error) {
	then := r.Snapshot
	c := Changes{
		Since: r.Installed, Dir: s.ConfDir, Runtime: s.Runtime.Kind.String(), Title: s.Runtime.Kind.DisplayName(), Then: then.Effective,
		Added: []string{}, Removed: []string{}, Changed: []string{}, Quarantined: []string{},
	}
	selection, err := conflist.Select(s.ConfDir, s.Runtime)
	if err != nil {
		return c, err
	}
	if e := selection.Effective(); e != nil {
		c.Effective = e.Name
	}
	now, err := hashFiles(s.ConfDir)
	if err != nil {
		return c, err
	}
	inQuarantine := quarantined(s.ConfDir)
	all := maps.Clone(now)
	maps.Copy(all, then.Files)
	for name := range all {
		was, is := then.Files[name], now[name]
		switch {
		case was == is || strings.Contains(name, quarantine.Suffix):
		case is == "" && slices.Contains(inQuarantine, name):
			c.Quarantined = append(c.Quarantined, name)
		case was == "":
			c.Added = append(c.Added, name)
		case is == "":
			c.Removed = append(c.Removed, name)
		default:
			c.Changed = append(c.Changed, name)
		}
	}
	for _, names := range [][]string{c.Added, c.Removed, c.Changed, c.Quarantined} {
		slices.Sort(names)
	}
	return c, c.diffEffective(then)
}

// diffEffective sets Diff if the file that the runtime selected then was changed.
func (c *Changes) diffEffective(then installer.Snapshot) error {
	if !slices.Contains(c.Changed, then.Effective) {
		return nil
	}
	content, err := os.ReadFile(filepath.Join(c.Dir, then.Effective))
	if err != nil {
		return fmt.Errorf("compare with the installation: %w", err)
	}
	c.Diff = string(diff.Diff(then.Effective+" (installed)", then.Content, then.Effective+" (now)", content))
	return nil
}

// hashFiles returns the SHA-256 of each regular file of a directory, by name and in hex.
func hashFiles(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("compare with the installation: %w", err)
	}
	all := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue // a dangling link, a pipe, a directory
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, fmt.Errorf("compare with the installation: %w", err)
		}
		sum := sha256.Sum256(content)
		all[e.Name()] = hex.EncodeToString(sum[:])
	}
	return all, nil
}

// quarantined returns the original names of the files in quarantine.
func quarantined(dir string) (names []string) {
	records, err := quarantine.List(dir)
	if err != nil {
		return nil // they are shown as removed
	}
	for _, r := range records {
		names = append(names, r.File)
	}
	return names
}
