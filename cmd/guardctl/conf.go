// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func confCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "conf",
		Short: "Show which network configuration pods get, and which file is one too many",
		Long: "Conf shows each file of the conf dir and what the runtime makes of it. KEEP is the\n" +
			"file whose network pods are to have: the one with cni-guard in it or, where none\n" +
			"has, the one in use. ROGUE is a file that takes its place, or lies ready to. An\n" +
			"entry of cni-guard that is not valid, and so refuses every pod, is named as well.\n\n" +
			"It exits with 0 when all is well, 1 when a file is one too many, the runtime loads\n" +
			"nothing, or an entry is not valid, and 2 when it could not tell.",
		Example: "  guardctl conf\n  guardctl conf quarantine 05-leftover.conf\n  guardctl conf restore 05-leftover.conf",
		Args:    cobra.NoArgs,
	}
	on := newConfNode(cmd)
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := on.find(); err != nil {
			return err
		}
		s, err := conflist.Select(on.dir, on.runtime)
		if err != nil {
			return err
		}
		r := on.report(s)
		if output.json() {
			err = printJSON(cmd.OutOrStdout(), r)
		} else {
			err = r.print(cmd.OutOrStdout())
		}
		if err == nil && r.harmful() {
			err = &exitError{code: findings}
		}
		return err
	}
	cmd.AddCommand(confQuarantineCommand(on), confRestoreCommand(on), confQuarantinedCommand(on), confDiffCommand(on))
	return cmd
}
