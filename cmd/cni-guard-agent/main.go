// SPDX-License-Identifier: Apache-2.0

// Command cni-guard-agent looks after a node between two calls of its container runtime:
// pkg/agent with this node's checks, metrics for Prometheus and reports to Kubernetes.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cni-guard/cni-guard/cmd/internal/agentapi"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	stdout, stderr := printable.NewWriter(os.Stdout), printable.NewWriter(os.Stderr)
	code := run(stdout, stderr, os.Args[1:])
	_, _ = stdout.Flush(), stderr.Flush()
	if code != cli.ExitOK {
		os.Exit(code)
	}
}

// run runs a command and returns the exit code.
func run(stdout, stderr io.Writer, args []string) int { return cli.Run(root(), stdout, stderr, args) }

// envPrefix begins the names of the variables that stand for flags.
const envPrefix = "CNI_GUARD_AGENT_"

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cni-guard-agent",
		Short: "Watch and repair this node's pod network until SIGTERM",
		Long: "The agent watches the kernel and the runtime's directories, repairs what the checks\n" +
			"of cni-guard can repair, and reports to Prometheus and Kubernetes. guardctl status\n" +
			"shows its state. docs/agent.md describes it.\n\n" +
			"Each flag can also be set by an environment variable: --conf-dir by\n" +
			envPrefix + "CONF_DIR. The flag takes precedence.\n\n" +
			"With --once it runs all checks once, prints the result and exits: exit code 0 no\n" +
			"problem, 1 findings, 2 a check could not be completed.",
		Version: build,
		Args:    cli.NoArgs,
	}
	c := newConfig(cmd)
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return takeEnvironment(cmd) }
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd) }
	cmd.AddCommand(pingCommand(c), clearCommand(c))
	return cmd
}

// takeEnvironment sets the flags that were not given from their variables.
func takeEnvironment(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || err != nil || f.Name == "help" || f.Name == "version" {
			return
		}
		if e := cmd.Flags().Set(f.Name, value); e != nil {
			err = cli.UsageError(fmt.Errorf("read %s: %w", name, e))
		}
	})
	return err
}

func pingCommand(c *config) *cobra.Command {
	return &cobra.Command{
		Use:   "ping",
		Short: "Check that the agent of this node answers",
		Long: "Ping is for the liveness probe of the pod. It asks over the unix socket, which works\n" +
			"with lo down. Exit codes: 0 the agent answers, 2 it does not.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return agentapi.Ping(cmd.Context(), filepath.Join(c.node.Root, c.socket))
		},
	}
}
