// SPDX-License-Identifier: Apache-2.0

// Package releasecmd is guardctl release: it releases what a lost sandbox still holds.
package releasecmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/release"
)

func Command() *cobra.Command {
	var r releasing
	var binDirs string
	var orphans, yes bool
	cmd := &cobra.Command{
		Use:   "release --container-id ID --network NAME | --orphans",
		Short: "Release what a lost sandbox still holds",
		Long: "Release runs DEL of the other plugins of a pod's chain without a namespace. They\n" +
			"release its addresses and remove what they keep on the node, and cannot touch a\n" +
			"namespace. The runtime's cache is not changed.\n\n" +
			"It first checks whether the pod lives: by the namespace that ADD recorded, the paths\n" +
			"on record, and the pod's veths on the node. If the pod lives, or this cannot be told,\n" +
			"it refuses without --force, as the address of a living pod would be given to another\n" +
			"one. It also refuses an unknown attachment; --force with the full ID releases what a\n" +
			"failed ADD may have left.\n\n" +
			"A release is recorded below --state-dir and never done again. Plugins that clean up\n" +
			"by address (" + strings.Join(release.CleanByAddress(), ", ") + ") are not called if another pod may have the address.\n\n" +
			"The beginning of a container ID, as crictl prints it, is enough if it is unique.\n\n" +
			"--orphans lists the attachments of sandboxes that are proved to be gone, and that the\n" +
			"runtime, if it answers, no longer knows, so that nobody will release them. It calls\n" +
			"nothing. With --yes it then checks each again and releases it. --cache-dir limits the\n" +
			"list to one cache.\n\n" +
			"It exits with 0 if all was released, now or before, 1 if a plugin failed or kept the\n" +
			"address, and 2 if it refuses or nothing could be tried. With --dry-run it calls nothing,\n" +
			"and exits with 0 if plugins would be called or all was released before, and 2 if it\n" +
			"would refuse.",
		Example: "  guardctl release --container-id 4f0e… --ifname eth0 --network k8s-pod-network --dry-run\n  guardctl release --orphans",
		Args:    cli.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&r.ContainerID, "container-id", "", "the sandbox, as the runtime names it, or the beginning of that")
	flags.StringVar(&r.IfName, "ifname", "eth0", "the interface that the attachment has in the sandbox")
	flags.StringVar(&r.Network, "network", "", "the name in the conflist")
	flags.StringVar(&r.CacheDir, "cache-dir", "", "the cache of the runtime's libcni (default: the one of "+strings.Join(release.CacheDirs(), ", ")+" that has the attachment)")
	flags.StringSliceVar(&r.ConfDirs, "conf-dir", conflist.ConfDirs(), "where to look for the conflist when the cache has no entry")
	flags.StringVar(&binDirs, "bin-dir", defaultBinDirs(), "where the plugins are, folders separated by colons")
	flags.StringVar(&r.stateDir, "state-dir", checks.DefaultStateDir, "the stateDir of the plugin's configuration")
	flags.BoolVar(&r.force, "force", false, "release the attachment though its pod may live, or nobody knows it")
	flags.BoolVar(&r.dryRun, "dry-run", false, "only say what would be done")
	flags.BoolVar(&r.forRuntime, "for-runtime", false, "the runtime has sent the DEL of this attachment; used by the plugin")
	flags.StringVar(&r.netns, "netns", "", "CNI_NETNS of that DEL; used by the plugin")
	r.output = cli.OutputFlag(cmd, "text", "json")
	flags.BoolVar(&orphans, "orphans", false, "list what pods that are gone still hold; instead of --container-id and --network")
	flags.BoolVar(&yes, "yes", false, "with --orphans: release all that is listed")
	for _, name := range []string{"for-runtime", "netns"} {
		if err := flags.MarkHidden(name); err != nil {
			panic(err) // the flag was added above
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r.BinDirs = filepath.SplitList(binDirs)
		if err := releaseUsage(flags, orphans); err != nil {
			return cli.UsageError(err)
		}
		if orphans {
			return r.orphans(cmd, yes, flags.Changed("bin-dir"))
		}
		return r.run(cmd)
	}
	return cmd
}

// releaseUsage returns what is wrong with the flags that say what to release.
func releaseUsage(flags *pflag.FlagSet, orphans bool) error {
	var missing, excess []string
	for _, name := range []string{"container-id", "network"} {
		if !flags.Changed(name) {
			missing = append(missing, name)
		}
	}
	for _, name := range []string{"container-id", "network", "ifname", "force"} {
		if flags.Changed(name) {
			excess = append(excess, "--"+name)
		}
	}
	switch {
	case orphans && len(excess) > 0:
		return fmt.Errorf("--orphans finds the attachments itself: leave out %s", strings.Join(excess, ", "))
	case !orphans && len(missing) > 0:
		return fmt.Errorf("required flag(s) \"%s\" not set", strings.Join(missing, `", "`))
	case !orphans && flags.Changed("yes"):
		return errors.New("--yes is for --orphans only")
	}
	return nil
}

// defaultBinDirs is CNI_PATH where a runtime, or the plugin, set it; else the
// folder that this program is in, beside the plugins, before the usual one.
func defaultBinDirs() string {
	const usual = "/opt/cni/bin"
	if path := os.Getenv("CNI_PATH"); path != "" {
		return path
	}
	self, err := os.Executable()
	if err != nil || filepath.Dir(self) == usual {
		return usual
	}
	return filepath.Dir(self) + string(filepath.ListSeparator) + usual
}

// inheritedArgs gives CNI_ARGS where the environment is that of a call for this
// very attachment, as it is when the plugin starts us.
func inheritedArgs(a chain.Attachment) string {
	if os.Getenv("CNI_CONTAINERID") != a.ContainerID || os.Getenv("CNI_IFNAME") != a.IfName {
		return ""
	}
	return os.Getenv("CNI_ARGS")
}
