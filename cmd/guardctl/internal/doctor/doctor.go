// SPDX-License-Identifier: Apache-2.0

// Package doctor is guardctl doctor: it runs the checks that need no pod.
package doctor

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/catalog"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/nodecheck"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Command returns guardctl doctor. It runs those of the checks that run on guard.Node.
func Command(suite []*checks.Check) *cobra.Command {
	var repair bool
	var only []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this node for problems of its pod network",
		Long: "Doctor runs every check that needs no pod. \"guardctl checks\" lists them: those that run\n" +
			"on \"node\". It takes their policies and options from the guard's entry in the network\n" +
			"configuration that the runtime uses, or in the first file that has one.\n\n" +
			"It changes nothing unless you pass --repair.\n\n" +
			"Exit codes: 0 no problem, 1 at least one finding, 2 no finding but a check could not\n" +
			"be completed. Minor findings are harmless now and do not count.",
		Example: "  guardctl doctor\n  guardctl doctor --check conflist,guard-placement\n  guardctl doctor --repair",
		Args:    cli.NoArgs,
	}
	n := node.New(cmd)
	cmd.Flags().BoolVar(&repair, "repair", false, "repair what a check can repair, such as the node's lo")
	cmd.Flags().StringSliceVar(&only, "check", nil, "run only these checks")
	cli.Complete(cmd, "check", catalog.Names(suite)...)
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		suite, err := choose(suite, only)
		if err != nil {
			return err
		}
		if err := n.Find(cmd.Context()); err != nil {
			return err
		}
		e, err := n.GuardEntry()
		if err != nil {
			cli.Warn(cmd, err, "(doctor uses the defaults for what it cannot read)")
		}
		if !repair {
			e.Settings = nodecheck.WithoutRepairs(e.Settings, suite)
		}
		report, err := nodecheck.Run(cmd.Context(), n, suite, e)
		if err != nil {
			return err
		}
		if repair {
			nodecheck.RecordRepairs(e.StateDir, "doctor --repair", report)
		}
		if output.JSON() {
			err = cli.PrintJSON(cmd.OutOrStdout(), report)
		} else {
			err = printReport(cmd.OutOrStdout(), n, e, report)
		}
		if err != nil {
			return err
		}
		return cli.Exit(exitCode(report))
	}
	return cmd
}

// choose returns the checks of suite with these names, in the order of suite; all if
// there are no names.
func choose(suite []*checks.Check, names []string) ([]*checks.Check, error) {
	if len(names) == 0 {
		return suite, nil
	}
	wanted := map[*checks.Check]bool{}
	for _, name := range names {
		c, err := catalog.Find(suite, name)
		if err != nil {
			return nil, err
		}
		if c.When&guard.Node == 0 {
			return nil, cli.UsageError(fmt.Errorf("check %s needs a pod: it runs on %s only", c.Name, c.When))
		}
		wanted[c] = true
	}
	return slices.DeleteFunc(slices.Clone(suite), func(c *checks.Check) bool { return !wanted[c] }), nil
}

// printReport prints where the checks looked and what came of each.
func printReport(w io.Writer, n *node.Node, e node.GuardEntry, r guard.Report) error {
	from := "the defaults, as no file has an entry of cni-guard"
	if e.From != "" {
		from = e.From
	}
	guessed := printable.Text("")
	if n.Assumed && len(n.Notes) > 0 {
		guessed = printable.Text(n.Notes[0] + "\n")
	}
	_, err := printable.Fprintf(w, "%s with %s; policies and options from %s\n%s\n%s", n.Site.Runtime.Kind.DisplayName(), n.Site.ConfDir, from, guessed, printable.Text(r.String()))
	return err
}

// exitCode returns the exit code for the worst outcome. Minor findings do not count.
func exitCode(r guard.Report) int {
	code := cli.ExitOK
	for _, o := range r.Outcomes {
		switch {
		case o.State == guard.Failed && !o.Minor():
			return cli.ExitFindings
		case o.State == guard.Unknown:
			code = cli.ExitUnknown
		}
	}
	return code
}
