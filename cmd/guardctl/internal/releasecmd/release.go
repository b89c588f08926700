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

	"github.com/cni-guard/cni-guard/cmd/internal/chain"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// Command returns guardctl release.
func Command() *cobra.Command {
	var r releasing
	var binDirs string
	var orphans, yes bool
	cmd := &cobra.Command{
		Use:   "release --container-id ID --network NAME | --orphans",
		Short: "Release the addresses and rules that a lost sandbox still holds",
		Long: "Release calls DEL of the other plugins of a pod's chain without a network namespace.\n" +
			"They free its addresses and remove what they keep on the node. They cannot touch any\n" +
			"namespace. The runtime's cache is not changed.\n\n" +
			"Release first checks whether the pod is alive: by the namespace that ADD recorded, the\n" +
			"recorded paths, and the pod's veths on the node. If the pod is alive, or this is\n" +
			"unknown, it refuses without --force: the address of a living pod would go to another\n" +
			"pod. It also refuses an unknown attachment. --force with the full ID releases what a\n" +
			"failed ADD may have left.\n\n" +
			"A release is recorded below --state-dir and never repeated. Plugins that clean up by\n" +
			"address (" + strings.Join(release.CleanByAddress(), ", ") + ") are not called if another pod may have the address.\n\n" +
			"A unique prefix of a container ID, as crictl prints it, is enough.\n\n" +
			"--orphans lists the attachments that no runtime will release: those of sandboxes that are\n" +
			"proved to be gone and that the runtime, if it answers, no longer knows. It calls no\n" +
			"plugin. With --yes it checks each of them again and releases it. --cache-dir limits\n" +
			"the list to one cache.\n\n" +
			"Exit codes: 0 everything was released, now or before; 1 a plugin failed or kept the\n" +
			"address; 2 release refused, or could not try anything. With --dry-run it calls no\n" +
			"plugin: 0 plugins would be called, or everything was released before; 2 it would\n" +
			"refuse.",
		Example: "  guardctl release --container-id 4f0e… --ifname eth0 --network k8s-pod-network --dry-run\n  guardctl release --orphans",
		Args:    cli.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&r.ContainerID, "container-id", "", "container ID of the sandbox, or a unique prefix")
	flags.StringVar(&r.IfName, "ifname", "eth0", "interface of the attachment in the sandbox")
	flags.StringVar(&r.Network, "network", "", "name of the network in the conflist")
	flags.StringVar(&r.CacheDir, "cache-dir", "", "cache of the runtime's libcni (default: the one of "+strings.Join(release.CacheDirs(), ", ")+" that has the attachment)")
	flags.StringSliceVar(&r.ConfDirs, "conf-dir", conflist.ConfDirs(), "directories to search for the conflist if the cache has no entry")
	flags.StringVar(&binDirs, "bin-dir", defaultBinDirs(), "plugin directories, separated by colons")
	flags.StringVar(&r.stateDir, "state-dir", checks.DefaultStateDir, "stateDir of the plugin's configuration")
	flags.BoolVar(&r.force, "force", false, "release the attachment even if its pod may be alive, or it is unknown")
	flags.BoolVar(&r.dryRun, "dry-run", false, "only print what would be done")
	flags.BoolVar(&r.forRuntime, "for-runtime", false, "the runtime has sent the DEL of this attachment; used by the plugin")
	flags.StringVar(&r.netns, "netns", "", "CNI_NETNS of that DEL; used by the plugin")
	r.output = cli.OutputFlag(cmd, "text", "json")
	flags.BoolVar(&orphans, "orphans", false, "list what sandboxes that are gone still hold, instead of --container-id and --network")
	flags.BoolVar(&yes, "yes", false, "with --orphans: release everything that is listed")
	cli.Hide(cmd, "for-runtime", "netns")
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

// releaseUsage returns an error if the flags do not say what to release.
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
		return fmt.Errorf("release needs --%s, or --orphans to list what can be released", strings.Join(missing, " and --"))
	case !orphans && flags.Changed("yes"):
		return errors.New("--yes works with --orphans only")
	}
	return nil
}

// defaultBinDirs returns CNI_PATH if a runtime or the plugin set it; else the directory of
// this program, which is beside the plugins, and the usual one.
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

// inheritedArgs returns CNI_ARGS if the environment is that of a call for this attachment,
// as it is when the plugin starts this program.
func inheritedArgs(a chain.Attachment) string {
	if os.Getenv("CNI_CONTAINERID") != a.ContainerID || os.Getenv("CNI_IFNAME") != a.IfName {
		return ""
	}
	return os.Getenv("CNI_ARGS")
}
