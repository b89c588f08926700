// SPDX-License-Identifier: Apache-2.0

// Package install is guardctl install, uninstall and upgrade.
package install

import (
	"fmt"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/installer"
)

// InstallCommand returns guardctl install.
func InstallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install the guard and add it to the plugin chain of this node",
		Long: "Install copies cni-guard and guardctl into the plugin directory. Then it adds the guard\n" +
			"as the last plugin of the network configuration that the runtime uses. Pods can start\n" +
			"meanwhile. It records its changes for uninstall. You can run it again at any time: it\n" +
			"does only what is left to do.\n\n" +
			"It refuses and changes nothing if the runtime uses a sample of a package, if several\n" +
			"files may be the network of the node, or if the runtime uses another file than the\n" +
			"one on record. Name the right one with --file.\n\n" +
			"Placements:\n\n" +
			"  inline   edit the file that the runtime uses\n" +
			"  own      write a copy of it, 00-cni-guard.conflist, which sorts first and stays when\n" +
			"           the network plugin rewrites its file\n" +
			"  bookend  also list the guard first, so that it can refuse an ADD before the other\n" +
			"           plugins act\n\n" +
			"Exit codes: 0 the guard is installed, 2 install refused or failed.",
		Example: "  guardctl install --dry-run\n  guardctl install --loopback",
		Args:    cli.NoArgs,
	}
	c := newChangeFlags(cmd)
	r := &c.request
	cmd.Flags().Var(&r.Placement, "placement", "where to add the guard: inline, own or bookend (default: unchanged, or inline; with cri-dockerd bookend if the primary plugin allows it)")
	cmd.Flags().StringVar(&r.File, "file", "", "file of the conf dir to add the guard to; needed for a sample, and if several files may be right")
	cmd.Flags().BoolVar(&r.Loopback, "loopback", false, "replace the loopback plugin with that of cni-guard, and keep the old one as loopback.orig")
	cmd.Flags().StringVar(&r.Mode, "mode", "", "mode of the guard's entry, new or existing: enforce or audit (default: unchanged, or enforce)")
	cmd.Flags().StringArrayVar(&r.Allow, "allow", nil, "pattern of file names that the check conflist accepts, such as '20-storage.*'; can be repeated")
	cmd.Flags().StringVar(&r.From, "from", "", "directory of the programs to install (default: that of this guardctl)")
	cmd.RunE = func(*cobra.Command, []string) error {
		if !slices.Contains([]string{"", "enforce", "audit"}, r.Mode) {
			return cli.UsageError(fmt.Errorf("read --mode: %q is neither enforce nor audit", r.Mode))
		}
		for _, pattern := range r.Allow {
			if _, err := path.Match(pattern, ""); err != nil || path.Base(pattern) != pattern {
				return cli.UsageError(fmt.Errorf("read --allow: %q is not a pattern of a file name", pattern))
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

// UninstallCommand returns guardctl uninstall.
func UninstallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the guard from the plugin chain of this node",
		Long: "Uninstall restores the network configuration and the loopback plugin as they were before\n" +
			"install. If the file was changed since, it removes only the guard's entry.\n\n" +
			"The binary stays for a while and passes every call through, because a runtime still\n" +
			"calls it until it has read the new file, and for pods whose configuration it cached.\n" +
			"Run uninstall again later: it removes the programs once no configuration references\n" +
			"the binary and it has not been called for the time of --grace.\n\n" +
			"It exits with 0 even if the programs stay for now, and prints why they do. With\n" +
			"--until-gone it tries again every minute, and prints when they are gone.",
		Example: "  guardctl uninstall --dry-run\n  guardctl uninstall",
		Args:    cli.NoArgs,
	}
	c := newChangeFlags(cmd)
	cmd.Flags().DurationVar(&c.request.Grace, "grace", installer.Grace, "how long the binary stays after it was last referenced or called")
	cmd.Flags().BoolVar(&c.request.Force, "force", false, "keep 00-cni-guard.conflist, without the guard, if pods would get another network or none without the file; remove the programs even if attachments of sandboxes that are gone reference them")
	untilGone := cmd.Flags().Bool("until-gone", false, "in a DaemonSet: try again until the programs are gone, and then wait to be stopped")
	cmd.RunE = func(*cobra.Command, []string) error {
		const done, nothing = "the guard is out of the chain", "nothing to do"
		if *untilGone {
			return c.uninstallUntilGone(done, nothing)
		}
		return c.run(installer.Uninstall, done, nothing)
	}
	return cmd
}

// UpgradeCommand returns guardctl upgrade.
func UpgradeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Replace the installed programs with those next to this guardctl",
		Long: "Upgrade replaces cni-guard, guardctl and, if it is that of cni-guard, the loopback\n" +
			"plugin. It first checks that each program runs, and then renames it over the old one,\n" +
			"which no pod notices. It changes no network configuration. It also installs older\n" +
			"versions.",
		Example: "  ./guardctl upgrade\n  guardctl upgrade --from ./bin",
		Args:    cli.NoArgs,
	}
	c := newChangeFlags(cmd)
	cmd.Flags().StringVar(&c.request.From, "from", "", "directory of the programs (default: that of this guardctl)")
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.run(installer.Upgrade, "the programs are replaced", "nothing to do: these programs are installed")
	}
	return cmd
}
