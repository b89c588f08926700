// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/release"
)

func releaseCommand() *cobra.Command {
	var a chain.Attachment
	var binDirs, stateDir string
	var dryRun, force bool
	cmd := &cobra.Command{
		Use:   "release --container-id ID --network NAME",
		Short: "Release what a lost sandbox still holds",
		Long: "Release runs DEL of the other plugins of a pod's chain without a namespace: they\n" +
			"give back its addresses and remove what they keep on the node, and cannot touch a\n" +
			"namespace. The runtime's own cache is left for the runtime.\n\n" +
			"Use it only for a sandbox whose processes are gone: its addresses may be given to\n" +
			"another pod right after. One whose recorded namespace is still there is refused\n" +
			"without --force. The plugin calls it for a DEL that it refuses.",
		Example: "  guardctl release --container-id 4f0e… --ifname eth0 --network k8s-pod-network --dry-run",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&a.ContainerID, "container-id", "", "the sandbox, as the runtime names it")
	flags.StringVar(&a.IfName, "ifname", "eth0", "the interface that the attachment has in the sandbox")
	flags.StringVar(&a.Network, "network", "", "the name in the conflist")
	flags.StringVar(&a.CacheDir, "cache-dir", "", "the cache of the runtime's libcni (default: the one of "+strings.Join(release.CacheDirs(), ", ")+" that has the attachment)")
	flags.StringSliceVar(&a.ConfDirs, "conf-dir", conflist.ConfDirs(), "where to look for the conflist when the cache has no entry")
	flags.StringVar(&binDirs, "bin-dir", defaultBinDirs(), "where the plugins are, folders separated by colons")
	flags.StringVar(&stateDir, "state-dir", "/run/cni-guard", "the stateDir of the plugin's configuration")
	flags.BoolVar(&force, "force", false, "release the sandbox though its namespace is still there")
	flags.BoolVar(&dryRun, "dry-run", false, "only say which plugins would be called")
	output := outputFlag(cmd, "text", "json")
	for _, name := range []string{"container-id", "network"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag was added above
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		a.BinDirs = filepath.SplitList(binDirs)
		a.Args = inheritedArgs(a)
		a.CacheDir = release.Request{ContainerID: a.ContainerID, IfName: a.IfName, Network: a.Network, CacheDir: a.CacheDir}.Cache()
		if err := mustBeLost(a, stateDir); err != nil && !force && !dryRun {
			return err
		}
		return runRelease(cmd, a, dryRun, output)
	}
	return cmd
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

// patience is less than that of the plugin that started us, by what it takes to
// give up on plugins that hang and to print what became of the others.
const patience = release.Deadline - 15*time.Second

func runRelease(cmd *cobra.Command, a chain.Attachment, dryRun bool, output *format) error {
	// libcni hands our environment on to the plugins, and this one would tell
	// them that the node's namespace is meant.
	if err := errors.Join(os.Unsetenv("CNI_NETNS_OVERRIDE"), os.Setenv(release.Variable, "1")); err != nil {
		return fmt.Errorf("clean environment: %w", err)
	}
	c, err := chain.Find(a)
	if err != nil {
		return cannotRelease(cmd, err, output)
	}
	var o release.Outcome
	if dryRun {
		o = c.Plan()
	} else {
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		defer cancel()
		o = c.Release(ctx)
	}
	if output.json() {
		err = printJSON(cmd.OutOrStdout(), o)
	} else {
		err = printOutcome(cmd.OutOrStdout(), a, o)
	}
	if err == nil && !o.Complete && !dryRun {
		err = incomplete()
	}
	return err
}
