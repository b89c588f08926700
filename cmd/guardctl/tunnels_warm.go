// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"log/slog"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// Bounds of --interval. Connection tracking forgets a tunnel after 600 seconds
// (nf_conntrack_generic_timeout, and the same of AWS security groups); one request
// that is lost must not let it.
const (
	leastInterval = 10 * time.Second
	mostInterval  = 5*time.Minute - time.Second
)

func warmCommand() *cobra.Command {
	var flags tunnelFlags
	var loop bool
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "warm",
		Short: "Send a ping through every tunnel, once or for ever",
		Long: "Warm pings every peer of this node's tunnels, so that a firewall between the nodes\n" +
			"that has no rule for the tunnel knows both of its ends. That takes a warm on every\n" +
			"node: one end alone opens nothing. docs/tunnels.md says what is the better cure.\n\n" +
			"With --loop it goes on: each peer is pinged once in the interval, and a new peer the\n" +
			"moment its route appears. The ADDs of this node then find nothing left to do. It\n" +
			"logs changes to standard error, as JSON, and ends with 0 on SIGTERM.\n\n" +
			"Without --loop it exits with 0 when all answered, 1 when some did not, and 2 when\n" +
			"it could not tell.",
		Example: "  guardctl tunnels warm --loop",
		Args:    cobra.NoArgs,
	}
	flags.add(cmd, []string{"ipip"}, "kinds of tunnels to warm; those of other protocols than ipip, sit and gre never go cold")
	cmd.Flags().BoolVar(&loop, "loop", false, "go on until SIGTERM")
	cmd.Flags().DurationVar(&interval, "interval", 4*time.Minute, "with --loop: the longest time between two pings to a peer, 10s to 4m59s")
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if interval < leastInterval || interval > mostInterval {
			return fmt.Errorf("--interval %s is not from %s to %s: connection tracking forgets a tunnel after 10m", interval, leastInterval, mostInterval)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		log := slog.New(slog.DiscardHandler)
		if loop {
			log = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
		}
		k, err := newKeeper(&flags, log)
		if err != nil {
			return err
		}
		if loop {
			k.Interval = interval
			log.Info("warming tunnels", "kinds", flags.kinds, "interval", interval.String())
			k.Run(ctx)
			log.Info("ends as told")
			return nil
		}
		found, err := tunnelsNow(ctx, k, true)
		if err == nil && output.json() {
			err = printTunnels(cmd.OutOrStdout(), found, output)
		} else if err == nil {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), found.counts())
		}
		if err == nil {
			err = found.verdict()
		}
		return err
	}
	return cmd
}
