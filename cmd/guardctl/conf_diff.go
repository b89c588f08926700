// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

func confDiffCommand(on *confNode) *cobra.Command {
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
		if err := on.findRecorded(record); err != nil {
			return err
		}
		c, err := on.compare(record)
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

// findRecorded takes the node to be as it was when the guard was installed, but
// for what the flags say.
func (n *confNode) findRecorded(r *installer.Record) error {
	if n.Changed("runtime", "max-conf-num", "default-network", "bin-dir") {
		return n.find()
	}
	n.dir = cmp.Or(n.ConfDir, r.Site.ConfDir)
	n.runtime = conflist.Runtime{
		Kind: r.Site.Runtime, MaxConfNum: r.Site.MaxConfNum, DefaultNetwork: r.Site.DefaultNetwork,
		BinDirs: r.Site.BinDirs, Supports: pluginquery.SupportsFunc(pluginquery.Timeout),
	}
	return nil
}

func (c confChanges) print(w io.Writer) error {
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
func (c confChanges) selection() string {
	switch c.Effective {
	case c.Then:
		return fmt.Sprintf("%s still selects %s\n", c.title, printable.String(c.Then))
	case "":
		return fmt.Sprintf("%s selected %s, and selects NOTHING now: guardctl conf says why\n", c.title, printable.String(c.Then))
	}
	return fmt.Sprintf("%s selected %s, and selects %s now: guardctl conf says why\n", c.title, printable.String(c.Then), printable.String(c.Effective))
}
