// SPDX-License-Identifier: Apache-2.0

// Package verify is guardctl verify: it tries the installed plugins in a private node.
package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/selftest"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// insideCommand is the hidden command that runs in the private node.
const insideCommand = "verify-inside"

// Command returns guardctl verify.
func Command() *cobra.Command {
	var binDirs, chain, root string
	var searched []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Test the installed plugins on this node without changing it",
		Long: "Verify calls the installed plugins as a runtime does, in a private node: for a pod that\n" +
			"starts and stops, and for a lost pod whose namespace path leads to the node. With\n" +
			"--chain it also calls the plugins of a conflist of this node.\n\n" +
			"The private node has its own network, mount and process namespaces. All file systems\n" +
			"are read-only there. /run and /var/lib/cni are empty and in memory, so no plugin\n" +
			"reaches a daemon of the node by its socket. A plugin can still make the kernel load\n" +
			"a module. Plugins that need the cluster do not work there, which is reported as\n" +
			"\"could not tell\".\n\n" +
			"Verify needs Linux 5.12 and root, or unprivileged user namespaces.\n\n" +
			"Exit codes: 0 every step held, 1 at least one failed, 2 verify could not tell.",
		Example: "  guardctl verify\n  guardctl verify --chain k8s-pod-network\n  guardctl verify --chain /etc/cni/net.d/10-calico.conflist -o json",
		Args:    cli.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&binDirs, "bin-dir", installedDirs(), "plugin directories, separated by colons")
	flags.StringVar(&chain, "chain", "", "also test a conflist of this node, named by its path or its network")
	flags.StringSliceVar(&searched, "conf-dir", conflist.ConfDirs(), "directories to search for the network of --chain")
	flags.StringVar(&root, "root", "", "is not supported; the error says why")
	cli.Hide(cmd, "root")
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if root != "" {
			return &cli.ExitError{Code: cli.ExitUnknown, Err: errors.New("verify starts the plugins of the node in namespaces like the node's, and a container has others"),
				Hint: "run it on the node, or in a privileged container with the node's namespaces: chroot " + root + " /opt/cni/bin/guardctl verify"}
		}
		request, err := newRequest(binDirs, chain, searched)
		if err != nil {
			return err
		}
		return start(cmd, request, output)
	}
	return cmd
}

// installedDirs returns the plugin directories of this node: CNI_PATH, those of the
// runtime's configuration, or the usual one. If none exists it returns the directory of
// this program if the guard is in it. That comes last, as it may be a build directory.
func installedDirs() string {
	const usual = "/opt/cni/bin"
	if path := os.Getenv("CNI_PATH"); path != "" {
		return path
	}
	if s, err := site.Find("", site.Overrides{}); err == nil && len(s.Runtime.BinDirs) > 0 {
		if _, err := os.Stat(s.BinDir); err == nil {
			return strings.Join(s.Runtime.BinDirs, string(filepath.ListSeparator))
		}
	}
	if _, err := os.Stat(usual); err == nil {
		return usual
	}
	if self, err := os.Executable(); err == nil {
		if _, err := os.Stat(filepath.Join(filepath.Dir(self), "cni-guard")); err == nil {
			return filepath.Dir(self)
		}
	}
	return usual
}

func newRequest(binDirs, chain string, confDirs []string) (r selftest.Request, err error) {
	for _, dir := range filepath.SplitList(binDirs) {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return r, fmt.Errorf("read --bin-dir: %w", err)
		}
		r.BinDirs = append(r.BinDirs, abs)
	}
	if err := r.Validate(); err != nil {
		return r, &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: "name the runtime's plugin directory with --bin-dir"}
	}
	// On an error the runtime is unknown, and the loopback plugin is tested.
	if s, err := site.Find("", site.Overrides{}); err == nil {
		r.NoLoopback = loopbackUnused(s)
	}
	if chain == "" {
		return r, nil
	}
	if r.Chain, err = selftest.FindChain(chain, confDirs); err != nil {
		return r, &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: "give --chain the path of a conflist, or name the runtime's conf dir with --conf-dir"}
	}
	return r, nil
}

// loopbackUnused returns why the runtime calls no loopback plugin; "" if it calls one.
func loopbackUnused(s site.Site) string {
	switch {
	case s.Runtime.Kind == conflist.CRIO:
		return s.Name + " brings up lo of pods itself and calls no loopback plugin"
	case s.InternalLoopback:
		return s.Name + " calls no loopback plugin (use_internal_loopback = true)"
	}
	return ""
}

func start(cmd *cobra.Command, r selftest.Request, output *cli.Format) error {
	code, err := selftest.Start(r, cmd.OutOrStdout(), cmd.ErrOrStderr(), insideCommand, "--output", output.String())
	if err != nil {
		return withoutNode(err)
	}
	if code != 0 {
		return cli.Exit(code)
	}
	return nil
}

// withoutNode returns the error with a hint about what a private node needs.
func withoutNode(err error) error {
	exit := &cli.ExitError{Code: cli.ExitUnknown, Err: err}
	if errors.Is(err, selftest.ErrNoNamespaces) {
		exit.Hint = "run this as root on the node; ordinary users need user namespaces " +
			"(on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0), a container CAP_SYS_ADMIN; user.max_*_namespaces must allow them"
	}
	return exit
}
