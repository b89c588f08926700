// SPDX-License-Identifier: Apache-2.0

package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/confdiff"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
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
		d, err := confdiff.Compare(n.Site, record)
		if err != nil {
			return err
		}
		if output.JSON() {
			err = cli.PrintJSON(cmd.OutOrStdout(), d)
		} else {
			err = printChanges(cmd.OutOrStdout(), d)
		}
		if err == nil && d.Any() {
			err = cli.Exit(cli.ExitFindings)
		}
		return err
	}
	return cmd
}

func printChanges(w io.Writer, c confdiff.Changes) error {
	var b strings.Builder
	if !c.Any() {
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
	b.WriteString(selection(c))
	if c.Diff != "" {
		b.WriteString("\n" + c.Diff)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// selection says whether the runtime selects another file now.
func selection(c confdiff.Changes) string {
	switch c.Effective {
	case c.Then:
		return fmt.Sprintf("%s still selects %s\n", c.Title, printable.String(c.Then))
	case "":
		return fmt.Sprintf("%s selected %s, and selects NOTHING now: guardctl conf says why\n", c.Title, printable.String(c.Then))
	}
	return fmt.Sprintf("%s selected %s, and selects %s now: guardctl conf says why\n", c.Title, printable.String(c.Then), printable.String(c.Effective))
}
