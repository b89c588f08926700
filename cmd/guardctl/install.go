// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

func installCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put the guard into the chain of this node",
		Long: "Install puts cni-guard and guardctl beside the other plugins, and then the guard into\n" +
			"the configuration that the runtime selects, as its last plugin. Pods start all the\n" +
			"while. What it changes it writes down for uninstall. Running it again does what is\n" +
			"left to do, which mostly is nothing.\n\n" +
			"It refuses, with nothing changed, where a sample of a package decides, where nothing\n" +
			"says which file is the network of the node, and where pods get another file than the\n" +
			"one on record. --file names one.\n\n" +
			"Placements: inline edits the file that counts; own writes 00-cni-guard.conflist, a\n" +
			"copy that wins over it and survives a network plugin that writes its own file again;\n" +
			"bookend lists the guard first as well, where it refuses an ADD before others act.",
		Example: "  guardctl install --dry-run\n  guardctl install --loopback",
		Args:    cobra.NoArgs,
	}
	c := newChangeFlags(cmd)
	r := &c.request
	cmd.Flags().Var(&r.Placement, "placement", "where the guard goes: inline, own or bookend (default: where it is, or inline; with cri-dockerd bookend where the primary allows it)")
	cmd.Flags().StringVar(&r.File, "file", "", "the file of the conf dir that the guard goes into, where that cannot be told, or to guard a sample")
	cmd.Flags().BoolVar(&r.Loopback, "loopback", false, "put our loopback plugin in the place of the one that is there, which is kept")
	cmd.Flags().StringVar(&r.Mode, "mode", "", "the mode of the guard's entry, also of one that is there: enforce or audit (default: as it is, or enforce)")
	cmd.Flags().StringArrayVar(&r.Allow, "allow", nil, "a pattern of file names that the guard is to find right beside its own, such as '20-storage.*'; may be said again")
	cmd.Flags().StringVar(&r.From, "from", "", "the folder with the programs to install (default: that of this guardctl)")
	cmd.RunE = func(*cobra.Command, []string) error {
		if !slices.Contains([]string{"", "enforce", "audit"}, r.Mode) {
			return usageError(fmt.Errorf("read --mode: %q is neither enforce nor audit", r.Mode))
		}
		for _, pattern := range r.Allow {
			if _, err := path.Match(pattern, ""); err != nil || path.Base(pattern) != pattern {
				return usageError(fmt.Errorf("read --allow: %q is no pattern of a file name", pattern))
			}
		}
		if dir := filepath.Dir(r.File); dir != "." {
			if said := c.site.overrides.ConfDir; said != "" && filepath.Clean(said) != dir {
				return usageError(fmt.Errorf("read --file: %s is not in --conf-dir %s", r.File, said))
			}
			c.site.overrides.ConfDir, r.File = dir, filepath.Base(r.File)
		}
		return c.run(installer.Install, "the guard is installed", "nothing to do: the guard is installed")
	}
	return cmd
}
