// SPDX-License-Identifier: Apache-2.0

// Package conf is guardctl conf: it shows the network configurations of a node, moves
// files into quarantine and restores them.
package conf

import (
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
)

// Command returns guardctl conf with its subcommands.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conf",
		Short: "Show which network configuration pods get, and which files compete with it",
		Long: "Conf lists the files of the conf dir. For each it shows the verdict, which says whether\n" +
			"the runtime loads the file, and the role:\n\n" +
			"  keep     the intended file, or a file that belongs to it\n" +
			"  rogue    a file that overrides the intended file, or could\n" +
			"  benign   a harmless file: a sample, or the source of the intended file\n" +
			"  unknown  the evidence does not decide\n\n" +
			"The intended file is the one that guardctl install put the guard into. Without an\n" +
			"installation record it is the only file with the guard, or the only file that is not\n" +
			"a sample. If neither decides, conf names the candidates and prints no command.\n\n" +
			"Exit codes: 0 no problem, 1 at least one finding, 2 conf could not tell. Minor\n" +
			"findings are harmless now and do not count. Conf runs as any user and says what that\n" +
			"user may not read.",
		Example: "  guardctl conf\n  guardctl conf quarantine 05-leftover.conf\n  guardctl conf list\n  guardctl conf restore 05-leftover.conf",
		Args:    cli.NoArgs,
	}
	n := node.New(cmd)
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := n.Find(cmd.Context()); err != nil {
			return err
		}
		a, err := n.Assess()
		if err != nil {
			return cli.Denied(err)
		}
		r := newReport(cmd.Context(), n, a)
		if output.JSON() {
			err = cli.PrintJSON(cmd.OutOrStdout(), r)
		} else {
			err = r.print(cmd.OutOrStdout())
		}
		if err != nil {
			return err
		}
		return cli.Exit(r.exitCode())
	}
	cmd.AddCommand(quarantineCommand(n), restoreCommand(n), listCommand(n), diffCommand(n))
	return cmd
}
