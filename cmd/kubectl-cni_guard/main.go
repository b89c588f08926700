// SPDX-License-Identifier: Apache-2.0

// Command kubectl-cni_guard is a kubectl plugin, "kubectl cni-guard": it shows what the
// agents of cni-guard report about the nodes of a cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// build is set by the linker: -X main.build=v1.2.3.
var build = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Text of the cluster cannot reach the terminal as it is.
	stdout, stderr := printable.NewWriter(os.Stdout), printable.NewWriter(os.Stderr)
	code := run(ctx, stdout, stderr, os.Args[1:])
	stop()
	_, _ = stdout.Flush(), stderr.Flush()
	if code != cli.ExitOK {
		os.Exit(code)
	}
}

// run runs a command and returns the exit code.
func run(ctx context.Context, stdout, stderr io.Writer, args []string) int {
	cmd := &cobra.Command{
		Use:           "kubectl-cni_guard",
		Short:         "Show what cni-guard reports about the nodes of the cluster",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl cni-guard"},
		Version:       build,
		SilenceErrors: true, SilenceUsage: true,
	}
	cmd.AddCommand(statusCommand())
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return cli.ExitOK
	}
	exit := &cli.ExitError{Code: cli.ExitUsage, Err: err, Hint: "run kubectl cni-guard status --help for its flags"} // cobra's own
	_ = errors.As(err, &exit)
	if exit.Err != nil {
		_, _ = fmt.Fprintln(stderr, "error:", exit.Err)
	}
	if exit.Hint != "" {
		_, _ = fmt.Fprintln(stderr, "hint:", exit.Hint)
	}
	return exit.Code
}
