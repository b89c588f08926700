// SPDX-License-Identifier: Apache-2.0

// Command guardctl is the operator's side of cni-guard: it installs the plugin, checks
// the node, explains what the plugin does and did, and releases what lost sandboxes
// still hold.
package main

import (
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/containernetworking/cni/pkg/version"
	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/bundle"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/catalog"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/conf"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/doctor"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/eventscmd"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/install"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/releasecmd"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/status"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/tracecmd"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/tunnels"
	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/verify"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/terminal"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

//go:generate sh -c "go run . checks -o markdown > checks.md.new && mv checks.md.new ../../docs/checks.md"

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	// A net below all output: text that a command forgot to make printable cannot reach
	// the terminal as it is.
	stdout, stderr := printable.NewWriter(os.Stdout), printable.NewWriter(os.Stderr)
	if terminal.Of(os.Stdout).Colours() {
		stdout.KeepStyles()
	}
	code := run(stdout, stderr, os.Args[1:])
	_, _ = stdout.Flush(), stderr.Flush()
	if code != cli.ExitOK {
		os.Exit(code)
	}
}

// run runs a command and returns the exit code.
func run(stdout, stderr io.Writer, args []string) int { return cli.Run(root(), stdout, stderr, args) }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guardctl",
		Short: "Install cni-guard, check this node and repair its pod network",
		Long: "guardctl installs cni-guard on this node, checks the node's pod network, explains what\n" +
			"the guard does and what it found, and releases what lost sandboxes still hold.\n\n" +
			"Start with \"guardctl doctor\".\n\n" +
			"Exit codes: 0 no problem, 1 findings, 2 the command could not find out, refused or\n" +
			"failed, 64 wrong arguments or flags.",
		Version: build,
	}
	suite := checks.Suite()
	cmd.AddCommand(
		bundle.Command(suite, build), catalog.ChecksCommand(suite), conf.Command(), doctor.Command(suite, build), eventscmd.Command(suite), catalog.ExplainCommand(suite),
		install.InstallCommand(), releasecmd.Command(), status.Command(), tracecmd.Command(), tunnels.Command(), install.UninstallCommand(), install.UpgradeCommand(),
		verify.Command(), versionCommand())
	cmd.AddCommand(verify.InsideCommands()...)
	return cmd
}

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of guardctl and the CNI versions that the plugins support",
		Args:  cli.NoArgs,
	}
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cni := version.All.SupportedVersions()
		if output.JSON() {
			return cli.PrintJSON(cmd.OutOrStdout(), map[string]any{
				"version": build, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "cniVersions": cni,
			})
		}
		_, err := printable.Fprintf(cmd.OutOrStdout(), "guardctl %s, %s, %s/%s\nCNI %s\n",
			build, runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(cni, ", "))
		return err
	}
	return cmd
}
