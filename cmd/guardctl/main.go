// SPDX-License-Identifier: Apache-2.0

// Command guardctl is the operator's side of cni-guard: it explains what the
// plugin does, shows what it saw, releases sandboxes that are lost, and tries what
// is installed.
package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	// A net below all that is printed: a name that a command forgot to make printable
	// still cannot reach the terminal as it is.
	stdout, stderr := printable.NewWriter(os.Stdout), printable.NewWriter(os.Stderr)
	code := run(stdout, stderr, os.Args[1:])
	_, _ = stdout.Flush(), stderr.Flush()
	if code != 0 {
		os.Exit(code)
	}
}

// run runs a command and returns the exit code.
func run(stdout, stderr io.Writer, args []string) int { return cli.Run(root(), stdout, stderr, args) }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "guardctl",
		Short: "Explain, inspect and repair what cni-guard guards",
		Long: "guardctl explains what cni-guard does on this node, shows what it saw, releases\n" +
			"sandboxes that are lost, and tries what is installed.\n\n" +
			"It exits with 0 when all is well, 1 on findings, 2 when it could not tell, and 64\n" +
			"when an argument or a flag is wrong.",
		Version: build,
	}
	cmd.AddCommand(checksCommand(), doctorCommand(), eventsCommand(), explainCommand(), releaseCommand(), tunnelsCommand(), verifyCommand(), versionCommand())
	cmd.AddCommand(verifyParts()...)
	cmd.AddCommand(confCommand(), selectBatchCommand())
	cmd.AddCommand(installCommand(), uninstallCommand(), upgradeCommand())
	return cmd
}
