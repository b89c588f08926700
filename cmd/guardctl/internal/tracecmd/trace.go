// SPDX-License-Identifier: Apache-2.0

// Package tracecmd is guardctl trace: it prints what changes on this node, and who did it.
package tracecmd

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/trace"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// Command returns guardctl trace.
func Command() *cobra.Command {
	var most time.Duration
	var kinds []string
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "Print who changes links, addresses, routes, rules, sysctls and the conf dir",
		Long: "Trace prints a line for each change of the node's network, the files of the conf dir\n" +
			"and the plugin directories while it runs: the time, the old and the new value, and the\n" +
			"process that made the change. It changes nothing, and needs no eBPF.\n\n" +
			"\"by pid ...\" is a fact: the kernel named the process or its socket. For changes of\n" +
			"links the kernel names none; the line then says so and lists programs that started just\n" +
			"before, one of which may have made the change. Run trace as root on the node, or in a\n" +
			"container with hostNetwork and hostPID. It reports on standard error what it cannot see.\n\n" +
			"It ends at Ctrl-C or after --for, with exit code 0.",
		Example: "  guardctl trace\n  guardctl trace --for 10m -o json >trace.jsonl\n  guardctl trace --kind link,file",
		Args:    cli.NoArgs,
	}
	n := node.New(cmd)
	cmd.Flags().DurationVar(&most, "for", 0, "end after this time, such as 10m (default: at Ctrl-C)")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "print only these: link, address, route, rule, sysctl, file (default: all)")
	cli.Complete(cmd, "kind", allKinds()...)
	output := cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for _, kind := range kinds {
			if !slices.Contains(allKinds(), kind) {
				return cli.UsageError(fmt.Errorf("read --kind: %q is none of %q", kind, allKinds()))
			}
		}
		if most < 0 {
			return cli.UsageError(fmt.Errorf("--for %s is negative", most))
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		if most > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, most)
			defer cancel()
		}
		return run(ctx, cmd, n, kinds, output)
	}
	return cmd
}

func allKinds() []string {
	return []string{trace.KindLink, trace.KindAddress, trace.KindRoute, trace.KindRule, trace.KindSysctl, trace.KindFile}
}

func run(ctx context.Context, cmd *cobra.Command, n *node.Node, kinds []string, output *cli.Format) error {
	errs := cmd.ErrOrStderr()
	var dirs []string
	if err := n.Find(ctx); err != nil {
		cli.Warn(cmd, err, "(no directory is traced)")
	} else {
		for _, dir := range append([]string{n.Site.ConfDir}, n.Site.Runtime.BinDirs...) {
			if dir != "" && !slices.Contains(dirs, dir) {
				dirs = append(dirs, dir)
			}
		}
	}
	t, err := trace.Start(ctx, dirs...)
	if err != nil {
		return cli.Denied(err)
	}
	for _, limit := range t.Limits() {
		printable.Fprintf(errs, "guardctl: limited: %s\n", limit)
	}
	printable.Fprintf(errs, "guardctl: tracing; Ctrl-C ends\n")
	var last trace.Who
	for c := range t.Changes() {
		if len(kinds) > 0 && c.Kind != trace.KindLost && !slices.Contains(kinds, c.Kind) {
			continue
		}
		if err := write(cmd, c, last, output); err != nil {
			return err
		}
		last = c.Who
	}
	return nil
}

// write writes a change as one line. Last is who made the change in the line before.
func write(cmd *cobra.Command, c trace.Change, last trace.Who, output *cli.Format) error {
	if output.JSON() {
		document, err := json.Marshal(c)
		if err == nil {
			_, err = printable.Fprintf(cmd.OutOrStdout(), "%s\n", printable.Text(document))
		}
		return err
	}
	line := c.Time.Format("2006-01-02T15:04:05.000Z07:00") + " " + c.String()
	switch {
	case c.Kind == trace.KindLost:
	case c.Who.SameUnknown(last):
		line += ", by whom is not known: as in the line before"
	default:
		line += ", " + c.Who.String()
	}
	_, err := printable.Fprintf(cmd.OutOrStdout(), "%s\n", line)
	return err
}
