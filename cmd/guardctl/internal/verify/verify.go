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

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/selftest"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// insideCommand is what the private node runs.
const insideCommand = "verify-inside"

func Command() *cobra.Command {
	var binDirs, chain, root string
	var searched []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Try what is installed on this node, and change nothing",
		Long: "Verify calls the installed plugins in a private node, as a runtime does: a pod that\n" +
			"starts and stops, and one that was lost, so that its path leads to the node. With\n" +
			"--chain it does so with the plugins of a conflist of this node as well.\n\n" +
			"The private node has network, mounts and processes of its own. All file systems are\n" +
			"read-only there; /run and /var/lib/cni are empty ones in memory, so that no plugin\n" +
			"reaches a daemon of the node by its socket there. What a plugin of a chain can still\n" +
			"do is to have the kernel load a module. Plugins that need the cluster do not work\n" +
			"there; that is reported as \"could not tell\".\n\n" +
			"It needs root, or user namespaces for ordinary users, and Linux 5.12. It exits with\n" +
			"0 when all held, 1 when something did not, and 2 when it could not tell.",
		Example: "  guardctl verify\n  guardctl verify --chain k8s-pod-network\n  guardctl verify --chain /etc/cni/net.d/10-calico.conflist -o json",
		Args:    cli.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&binDirs, "bin-dir", installedDirs(), "where the plugins are, folders separated by colons")
	flags.StringVar(&chain, "chain", "", "a conflist of this node to try, as a file or by the name of its network")
	flags.StringSliceVar(&searched, "conf-dir", conflist.ConfDirs(), "where to look for the network of --chain")
	flags.StringVar(&root, "root", "", "is not supported, and says why")
	if err := flags.MarkHidden("root"); err != nil {
		panic(err) // the flag was added above
	}
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

// installedDirs is where the runtime of this node has its plugins: CNI_PATH, what
// its configuration says, or the usual folder. Where that is not there it is our own, if the guard is in it;
// but not before, as ours may be the one that the programs were built in.
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
		return r, &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: "name the folder from which the runtime takes its plugins with --bin-dir"}
	}
	// An error says that the runtime is unknown: then the plugin is tried.
	if s, err := site.Find("", site.Overrides{}); err == nil {
		r.NoLoopback = loopbackUnused(s)
	}
	if chain == "" {
		return r, nil
	}
	if r.Chain, err = selftest.FindChain(chain, confDirs); err != nil {
		return r, &cli.ExitError{Code: cli.ExitUnknown, Err: err, Hint: "give --chain the path of a conflist, or name the runtime's folder with --conf-dir"}
	}
	return r, nil
}

// loopbackUnused says why the runtime calls no loopback plugin, or returns "".
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

// withoutNode says what a private node needs.
func withoutNode(err error) error {
	exit := &cli.ExitError{Code: cli.ExitUnknown, Err: err}
	if errors.Is(err, selftest.ErrNoNamespaces) {
		exit.Hint = "run this as root on the node; ordinary users need user namespaces " +
			"(on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0), a container CAP_SYS_ADMIN; user.max_*_namespaces must allow them"
	}
	return exit
}
