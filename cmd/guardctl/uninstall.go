// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

func uninstallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take the guard out of the chain of this node",
		Long: "Uninstall restores the configuration as it was before install, or takes only the\n" +
			"guard's entry out where somebody changed the file since, and puts the old loopback\n" +
			"plugin back. The plugin itself stays for a while, and lets everything through: a\n" +
			"runtime that has not read the new file yet, and one that removes a pod by what it\n" +
			"cached, still call it. Run uninstall again later: when nothing has named or called\n" +
			"the plugin for the time of grace, the programs are removed as well.\n\n" +
			"It exits with 0 also where the programs stay for now; it then prints why.",
		Example: "  guardctl uninstall --dry-run\n  guardctl uninstall",
		Args:    cli.NoArgs,
	}
	c := newChangeFlags(cmd)
	cmd.Flags().DurationVar(&c.request.Grace, "grace", installer.Grace, "how long the plugin stays after it was last named or called")
	cmd.Flags().BoolVar(&c.request.Force, "force", false, "keep 00-cni-guard.conflist without the guard where pods would get another network without it, or none; remove the programs though attachments of sandboxes that are gone name them")
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.run(installer.Uninstall, "the guard is out of the chain", "nothing to do")
	}
	return cmd
}
