// SPDX-License-Identifier: Apache-2.0

// Package conf is guardctl conf: it shows the network configurations of a node, and puts
// files into quarantine and back.
package conf

import (
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/node"
)

func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conf",
		Short: "Show which network configuration pods get, and which file is one too many",
		Long: "Conf shows each file of the conf dir, what the runtime makes of it, and its role:\n\n" +
			"  keep     the intended file, or one that belongs to it\n" +
			"  rogue    a file that takes its place, or could\n" +
			"  benign   a file that may lie there: a sample, or what the intended file was made of\n" +
			"  unknown  the evidence does not decide\n\n" +
			"The intended file is the one that guardctl install put the guard into; without such a\n" +
			"record it is the only file with the guard, or the only one that is no sample. Where\n" +
			"nothing decides, conf names the candidates and gives no command.\n\n" +
			"It exits with 0 when all is well, 1 when something was found, and 2 when it could not\n" +
			"tell. A finding that does no harm now is marked as minor, and does not count. Conf\n" +
			"runs as any user, and says what that user may not read.",
		Example: "  guardctl conf\n  guardctl conf quarantine 05-leftover.conf\n  guardctl conf list\n  guardctl conf restore 05-leftover.conf",
		Args:    cli.NoArgs,
	}
	on := node.New(cmd)
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := on.Find(cmd.Context()); err != nil {
			return err
		}
		a, err := on.Assess()
		if err != nil {
			return cli.Denied(err)
		}
		r := newReport(cmd.Context(), on, a)
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
	cmd.AddCommand(quarantineCommand(on), restoreCommand(on), listCommand(on), diffCommand(on))
	return cmd
}
