// SPDX-License-Identifier: Apache-2.0

package main

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

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// A confChanges is what has become of a folder since the guard was installed.
type confChanges struct {
	Since       time.Time `json:"since"`
	Dir         string    `json:"dir"`
	Runtime     string    `json:"runtime"`
	title       string    // of the runtime, for people
	Then        string    `json:"effectiveThen"`
	Effective   string    `json:"effective"` // now; "" where nothing is
	Added       []string  `json:"added"`
	Removed     []string  `json:"removed"`
	Changed     []string  `json:"changed"`
	Quarantined []string  `json:"quarantined"`
	Diff        string    `json:"diff,omitempty"` // of the file that was effective then
}

func (c confChanges) any() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.Quarantined) > 0 || c.Then != c.Effective
}

// compare holds the folder against the record.
func (n *confNode) compare(r *installer.Record) (confChanges, error) {
	then := r.Snapshot
	c := confChanges{
		Since: r.Installed, Dir: n.dir, Runtime: n.runtime.Kind.String(), title: n.runtime.Kind.DisplayName(), Then: then.Effective,
		Added: []string{}, Removed: []string{}, Changed: []string{}, Quarantined: []string{},
	}
	s, err := conflist.Select(n.dir, n.runtime)
	if err != nil {
		return c, err
	}
	if e := s.Effective(); e != nil {
		c.Effective = e.Name
	}
	now, err := hashes(n.dir)
	if err != nil {
		return c, err
	}
	away := quarantined(n.dir)
	for name := range merged(then.Files, now) {
		was, is := then.Files[name], now[name]
		switch {
		case was == is || strings.Contains(name, quarantine.Suffix):
		case is == "" && slices.Contains(away, name):
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
	return c, c.compareEffective(then)
}

// compareEffective shows how the file was changed that the runtime selected then.
func (c *confChanges) compareEffective(then installer.Snapshot) error {
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

// hashes gives the SHA-256 of each regular file of a folder, as the snapshot has
// them.
func hashes(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("compare with the installation: %w", err)
	}
	all := map[string]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue // a link to nowhere, a pipe, a folder
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return nil, fmt.Errorf("compare with the installation: %w", err)
		}
		sum := sha256.Sum256(content)
		all[e.Name()] = hex.EncodeToString(sum[:])
	}
	return all, nil
}

// quarantined gives the names of the files that were put away.
func quarantined(dir string) (names []string) {
	records, err := quarantine.List(dir)
	if err != nil {
		return nil // they are told as removed
	}
	for _, r := range records {
		names = append(names, r.File)
	}
	return names
}

func merged(a, b map[string]string) map[string]string {
	all := maps.Clone(b)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, a)
	return all
}
