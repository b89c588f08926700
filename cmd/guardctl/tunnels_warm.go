// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Bounds of --interval. Connection tracking forgets a tunnel after 600 seconds
// (nf_conntrack_generic_timeout, and the same of AWS security groups); one request
// that is lost must not let it.
const (
	leastInterval = 10 * time.Second
	mostInterval  = 5*time.Minute - time.Second
)

// A warmCall is guardctl tunnels warm with its flags.
type warmCall struct {
	flags    tunnelFlags
	loop     bool
	interval time.Duration
	output   *cli.Format
}

func warmCommand() *cobra.Command {
	var call warmCall
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Send a ping through every tunnel, once or for ever",
		Long: "Warm pings every peer of this node's tunnels, so that a firewall between the nodes\n" +
			"that has no rule for the tunnel knows both of its ends. That takes a warm on every\n" +
			"node: one end alone opens nothing. docs/tunnels.md says what is the better cure.\n\n" +
			"With --loop it goes on: each peer is pinged once in the interval, and a new peer the\n" +
			"moment its route appears. The ADDs of this node then find nothing left to do, if\n" +
			"--kinds and --peers are the plugin's. It logs changes to standard error, as JSON,\n" +
			"and ends with 0 on SIGTERM.\n\n" +
			"Without --loop it exits with 0 when all answered, 1 when some did not, and 2 when\n" +
			"it could not tell.",
		Example: "  guardctl tunnels warm --loop",
		Args:    cli.NoArgs,
	}
	call.flags.add(cmd, []string{"ipip"}, "kinds of tunnels to warm; those of other protocols than ipip, sit and gre never go cold")
	cmd.Flags().BoolVar(&call.loop, "loop", false, "go on until SIGTERM")
	cmd.Flags().DurationVar(&call.interval, "interval", 4*time.Minute, "with --loop: the longest time between two pings to a peer, 10s to 4m59s")
	call.output = cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return call.run(cmd) }
	return cmd
}

func (c *warmCall) run(cmd *cobra.Command) error {
	if c.interval < leastInterval || c.interval > mostInterval {
		return cli.UsageError(fmt.Errorf("--interval %s is not from %s to %s: connection tracking forgets a tunnel after 10m", c.interval, leastInterval, mostInterval))
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.DiscardHandler)
	if c.loop {
		log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
	}
	k, err := newKeeper(&c.flags, c.flags.kinds, log)
	if err != nil {
		return err
	}
	if !c.loop {
		return c.once(ctx, cmd, k)
	}
	k.Interval = c.interval
	log.Info("warming tunnels", "kinds", c.flags.kinds, "interval", c.interval.String())
	k.Run(ctx)
	log.Info("ends as told")
	return nil
}

func (c *warmCall) once(ctx context.Context, cmd *cobra.Command, k *tunnel.Keeper) error {
	found, err := lookAtTunnels(ctx, k, true, cmd.ErrOrStderr())
	switch {
	case err != nil:
		return err
	case c.output.JSON():
		err = printTunnels(cmd.OutOrStdout(), found, c.output)
	default:
		_, err = printable.Fprintln(cmd.OutOrStdout(), found.counts())
	}
	if err != nil {
		return err
	}
	return found.warmed()
}

// warmed is the verdict where nobody may be left out: who has no address that could
// be pinged is not warm.
func (t tunnelTable) warmed() error {
	if err := t.verdict(); err != nil {
		return err
	}
	mute := 0
	for _, p := range t.Peers {
		if p.Probed == "" {
			mute++
		}
	}
	if mute == 0 {
		return nil
	}
	return &cli.ExitError{Code: cli.ExitUnknown, Err: fmt.Errorf("cannot warm %d of %d peers: no address that answers pings is known", mute, len(t.Peers)), Hint: "give their tunnel addresses by --peers"}
}
