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

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/node"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func diffCommand(on *node.Node) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what has changed in the conf dir since the guard was installed",
		Long: "Diff compares the folder with what guardctl install left there: which files were\n" +
			"added, removed, changed or put into quarantine, whether the runtime selects\n" +
			"another one, and how the one that it selected then was changed.\n\n" +
			"It exits with 0 when nothing has changed, 1 when something has, and 2 when it\n" +
			"could not tell, as where the guard was not installed by guardctl.",
		Args: cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := on.EnterRoot(); err != nil {
			return err
		}
		record, err := installer.ReadRecord(on.RecordDir)
		if errors.Is(err, fs.ErrNotExist) {
			return &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: "guardctl install writes it; --record-dir names another folder"}
		}
		if err != nil {
			return &cli.ExitError{Code: cli.ExitUnknown, Err: err}
		}
		if err := on.FindRecorded(cmd.Context(), record); err != nil {
			return err
		}
		c, err := compare(on, record)
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

// selection says whether it is another file that decides.
func (c changes) selection() string {
	switch c.Effective {
	case c.Then:
		return fmt.Sprintf("%s still selects %s\n", c.title, printable.String(c.Then))
	case "":
		return fmt.Sprintf("%s selected %s, and selects NOTHING now: guardctl conf says why\n", c.title, printable.String(c.Then))
	}
	return fmt.Sprintf("%s selected %s, and selects %s now: guardctl conf says why\n", c.title, printable.String(c.Then), printable.String(c.Effective))
}

// A changes is what has become of a folder since the guard was installed.
type changes struct {
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

func (c changes) any() bool {
	return len(c.Added)+len(c.Removed)+len(c.Changed)+len(c.Quarantined) > 0 || c.Then != c.Effective
}

// compare holds the folder against the record.
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
	now, err := hashes(n.Site.ConfDir)
	if err != nil {
		return c, err
	}
	away := quarantined(n.Site.ConfDir)
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
func (c *changes) compareEffective(then installer.Snapshot) error {
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
