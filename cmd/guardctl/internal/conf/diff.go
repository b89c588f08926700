// SPDX-License-Identifier: Apache-2.0

package conf

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func diffCommand(n *node.Node) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what changed in the conf dir since the guard was installed",
		Long: "Diff compares the conf dir with the installation record: which files were added,\n" +
			"removed, changed or moved into quarantine, whether the runtime selects another file,\n" +
			"and what changed in the file that it selected then.\n\n" +
			"Exit codes: 0 nothing changed, 1 something changed, 2 diff could not tell, for\n" +
			"example because guardctl did not install the guard.",
		Args: cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := n.EnterRoot(); err != nil {
			return err
		}
		record, err := installer.ReadRecord(n.RecordDir)
		if errors.Is(err, fs.ErrNotExist) {
			return cli.Unknown(err, "guardctl install writes the record; --record-dir names another directory")
		}
		if err != nil {
			return err
		}
		if err := n.FindRecorded(cmd.Context(), record); err != nil {
			return err
		}
		c, err := compare(n, record)
		if err != nil {
			return err
		}
		if output.JSON() {
			err = cli.PrintJSON(cmd.OutOrStdout(), c)
		} else {
			err = c.print(cmd.OutOrStdout())
		}
		if err == nil && c.any() {
			err = cli.Exit(cli.ExitFindings)
		}
		return err
	}
	return cmd
}

func (c changes) print(w io.Writer) error {
	var b strings.Builder
	if !c.any() {
		printable.Fprintf(&b, "nothing has changed in %s since the guard was installed (%s UTC)\n", printable.String(c.Dir), c.Since.UTC().Format(time.DateTime))
		_, err := io.WriteString(w, b.String())
		return err
	}
	printable.Fprintf(&b, "in %s, since the guard was installed (%s UTC):\n", printable.String(c.Dir), c.Since.UTC().Format(time.DateTime))
	for _, group := range []struct {
		what  string
		names []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"changed", c.Changed}, {"put into quarantine", c.Quarantined}} {
		for _, name := range group.names {
			printable.Fprintf(&b, "  %s: %s\n", group.what, printable.String(name))
		}
	}
	b.WriteString(c.selection())
	if c.Diff != "" {
		b.WriteString("\n" + c.Diff)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// selection says whether the runtime selects another file now.
func (c changes) selection() string {
	switch c.Effective {
	case c.Then:
		return fmt.Sprintf("%s still selects %s\n", c.title, printable.String(c.Then))
	case "":
		return fmt.Sprintf("%s selected %s, and selects NOTHING now: guardctl conf says why\n", c.title, printable.String(c.Then))
	}
	return fmt.Sprintf("%s selected %s, and selects %s now: guardctl conf says why\n", c.title, printable.String(c.Then), printable.String(c.Effective))
}

// A changes says how a conf dir differs from the installation record.
type changes struct {
	Since       time.Time `json:"since"`
	Dir         string    `json:"dir"`
	Runtime     string    `json:"runtime"`
	title       string    // display name of the runtime
	Then        string    `json:"effectiveThen"`
	Effective   string    `json:"effective"` // now; "" if none is
	Added       []string  `json:"added"`
	Removed     []string  `json:"removed"`
	Changed     []string  `json:"changed"`
	Quarantined []string  `json:"quarantined"`
	Diff        string    `json:"diff,omitempty"` // of the file that was effective then, unified
}

func (c changes) any() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.Quarantined) > 0 || c.Then != c.Effective
}

// compare compares the conf dir of n with the record.
func compare(n *node.Node, r *installer.Record) (changes, error) {
	then := r.Snapshot
	c := changes{
		Since: r.Installed, Dir: n.Site.ConfDir, Runtime: n.Site.Runtime.Kind.String(), title: n.Site.Runtime.Kind.DisplayName(), Then: then.Effective,
		Added: []string{}, Removed: []string{}, Changed: []string{}, Quarantined: []string{},
	}
	s, err := conflist.Select(n.Site.ConfDir, n.Site.Runtime)
	if err != nil {
		return c, err
	}
	if e := s.Effective(); e != nil {
		c.Effective = e.Name
	}
	now, err := hashFiles(n.Site.ConfDir)
	if err != nil {
		return c, err
	}
	inQuarantine := quarantined(n.Site.ConfDir)
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
func (c *changes) diffEffective(then installer.Snapshot) error {
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
