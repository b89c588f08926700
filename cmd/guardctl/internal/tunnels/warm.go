// SPDX-License-Identifier: Apache-2.0

package tunnels

import (
	"context"
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Bounds of --interval. Connection tracking forgets a tunnel after 600 seconds
// (nf_conntrack_generic_timeout, and the same of AWS security groups). Two pings fit into
// that, so that one may be lost.
const (
	minInterval = 10 * time.Second
	maxInterval = 5*time.Minute - time.Second
)

// A warmCall is guardctl tunnels warm with its flags.
type warmCall struct {
	flags    flags
	loop     bool
	interval time.Duration
	output   *cli.Format
}

func warmCommand(wait time.Duration) *cobra.Command {
	var call warmCall
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Ping through every tunnel, once or continuously",
		Long: "Warm pings every peer of this node's tunnels. A firewall between the nodes that has\n" +
			"no rule for the tunnel then knows both of its ends. That takes a warm on every node:\n" +
			"one end alone opens nothing. The better remedy is a rule; docs/tunnels.md shows it.\n\n" +
			"With --loop it keeps running: it pings each peer once per interval, and a new peer\n" +
			"as soon as its route appears. ADDs of this node then have nothing left to do, if\n" +
			"--kinds and --peers are those of the plugin. It logs changes to standard error, as\n" +
			"JSON, and exits with 0 on SIGTERM.\n\n" +
			"Without --loop the exit code is 0 if all peers answered, 1 if some did not, and 2 if\n" +
			"that is unknown.",
		Example: "  guardctl tunnels warm --loop",
		Args:    cli.NoArgs,
	}
	call.flags = flags{wait: wait}
	call.flags.add(cmd, []string{"ipip"}, "kinds of tunnels to warm; only those of ipip, sit and gre go cold")
	cmd.Flags().BoolVar(&call.loop, "loop", false, "keep running until SIGTERM")
	cmd.Flags().DurationVar(&call.interval, "interval", 4*time.Minute, "with --loop: the longest time between two pings of a peer, 10s to 4m59s")
	call.output = cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return call.run(cmd) }
	return cmd
}

func (c *warmCall) run(cmd *cobra.Command) error {
	if c.interval < minInterval || c.interval > maxInterval {
		return cli.UsageError(fmt.Errorf("--interval %s is not from %s to %s: connection tracking forgets a tunnel after 10m", c.interval, minInterval, maxInterval))
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.DiscardHandler)
	if c.loop {
		logger = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
	}
	k, err := c.flags.keeper(c.flags.kinds, logger)
	if err != nil {
		return err
	}
	if !c.loop {
		return c.once(ctx, cmd, k)
	}
	k.Interval = c.interval
	logger.Info("warming tunnels", "kinds", c.flags.kinds, "interval", c.interval.String())
	k.Run(ctx)
	logger.Info("stopped by a signal")
	return nil
}

func (c *warmCall) once(ctx context.Context, cmd *cobra.Command, k *tunnel.Keeper) error {
	t, err := readTable(ctx, k, true, cmd.ErrOrStderr())
	switch {
	case err != nil:
		return err
	case c.output.JSON():
		err = t.write(cmd.OutOrStdout(), c.output)
	default:
		_, err = printable.Fprintln(cmd.OutOrStdout(), t.counts())
	}
	if err != nil {
		return err
	}
	return t.exitWarm()
}
