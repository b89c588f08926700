// SPDX-License-Identifier: Apache-2.0

// Package install is guardctl install, uninstall and upgrade.
package install

import (
	"fmt"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

func InstallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put the guard into the chain of this node",
		Long: "Install copies cni-guard and guardctl into the plugin folder, and then adds the guard\n" +
			"to the configuration that the runtime uses, as the last plugin. Pods can start\n" +
			"meanwhile. It records its changes for uninstall. It is safe to run again, and then\n" +
			"does what is left to do.\n\n" +
			"It refuses and changes nothing where pods get a sample of a package, where several\n" +
			"files may be the network of the node, and where pods get another file than the one\n" +
			"on record. --file names the right one.\n\n" +
			"Placements: inline edits the file that the runtime uses. own writes a copy of it,\n" +
			"00-cni-guard.conflist, which sorts first and stays when the network plugin rewrites\n" +
			"its file. bookend lists the guard first as well, where it refuses an ADD before the\n" +
			"other plugins act.\n\n" +
			"It exits with 0 when the guard is installed, and 2 when it refuses or fails.",
		Example: "  guardctl install --dry-run\n  guardctl install --loopback",
		Args:    cli.NoArgs,
	}
	c := newChangeFlags(cmd)
	r := &c.request
	cmd.Flags().Var(&r.Placement, "placement", "where the guard goes: inline, own or bookend (default: as it is, or inline; with cri-dockerd bookend where the primary plugin allows it)")
	cmd.Flags().StringVar(&r.File, "file", "", "the file of the conf dir that the guard goes into; needed for a sample, and where several files may be right")
	cmd.Flags().BoolVar(&r.Loopback, "loopback", false, "replace the loopback plugin by ours, and keep the old one as loopback.orig")
	cmd.Flags().StringVar(&r.Mode, "mode", "", "the mode of the guard's entry, new or existing: enforce or audit (default: as it is, or enforce)")
	cmd.Flags().StringArrayVar(&r.Allow, "allow", nil, "a pattern of file names that the check conflist accepts, such as '20-storage.*'; can be repeated")
	cmd.Flags().StringVar(&r.From, "from", "", "the folder with the programs to install (default: that of this guardctl)")
	cmd.RunE = func(*cobra.Command, []string) error {
		if !slices.Contains([]string{"", "enforce", "audit"}, r.Mode) {
			return cli.UsageError(fmt.Errorf("read --mode: %q is neither enforce nor audit", r.Mode))
		}
		for _, pattern := range r.Allow {
			if _, err := path.Match(pattern, ""); err != nil || path.Base(pattern) != pattern {
				return cli.UsageError(fmt.Errorf("read --allow: %q is no pattern of a file name", pattern))
			}
		}
		var err error
		if r.File, err = c.site.FileArg(r.File); err != nil {
			return err
		}
		return c.run(installer.Install, "the guard is installed", "nothing to do: the guard is installed")
	}
	return cmd
}

func UninstallCommand() *cobra.Command {
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

func UpgradeCommand() *cobra.Command {
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
