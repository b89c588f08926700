// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

func upgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Replace the installed programs by those beside this guardctl",
		Long: "Upgrade replaces the plugin, guardctl and, where it is ours, the loopback plugin. Each\n" +
			"is asked whether it runs before it takes the place of the old one, by a rename that no\n" +
			"pod notices. No configuration is touched. An older version is taken as well.",
		Example: "  ./guardctl upgrade\n  guardctl upgrade --from ./bin",
		Args:    cli.NoArgs,
	}
	c := newChangeFlags(cmd)
	cmd.Flags().StringVar(&c.request.From, "from", "", "the folder with the programs (default: that of this guardctl)")
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.run(installer.Upgrade, "the programs are replaced", "nothing to do: these programs are installed")
	}
	return cmd
}
