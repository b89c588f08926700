// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// tunnelFlags are what the table and the warming have in common.
type tunnelFlags struct {
	stateDir string
	kinds    []string
	peers    []string
}

func (f *tunnelFlags) add(cmd *cobra.Command, kinds []string, kindsMean string) {
	cmd.Flags().StringVar(&f.stateDir, "state-dir", checks.DefaultStateDir, "the stateDir of the plugin's configuration")
	cmd.Flags().StringSliceVar(&f.kinds, "kinds", kinds, kindsMean)
	cmd.Flags().StringSliceVar(&f.peers, "peers", nil, "further addresses, such as tunnel addresses of other nodes")
}

// extra gives the further addresses, of which the same is asked as of the plugin's
// `peers`.
func (f *tunnelFlags) extra() ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, text := range f.peers {
		addr, err := checks.ParsePeer(text)
		if err != nil {
			return nil, cli.UsageError(fmt.Errorf("read --peers: %w", err))
		}
		addrs = append(addrs, addr)
	}
	return addrs, nil
}

// A tunnelsCall is guardctl tunnels with its flags.
type tunnelsCall struct {
	flags        tunnelFlags
	probe, watch bool
	every        time.Duration
	output       *cli.Format
}

func tunnelsCommand() *cobra.Command {
	var call tunnelsCall
	cmd := &cobra.Command{
		Use:   "tunnels",
		Short: "Show the peers of this node's tunnels, and whether they answer",
		Long: "Tunnels lists the other ends of this node's tunnels, as its routes, neighbours and\n" +
			"forwarding tables have them, with what the guard knows of each; --probe asks them.\n\n" +
			"Silence alone does not prove a tunnel broken: a node may be off, or its firewall\n" +
			"may drop pings. docs/tunnels.md says what to look at then.\n\n" +
			"It exits with 0 when every peer that was asked answered the first time, 1 when one\n" +
			"did not, and 2 when it could not tell.",
		Example: "  guardctl tunnels --probe\n  guardctl tunnels --watch --kinds ipip",
		Args:    cli.NoArgs,
	}
	call.flags.add(cmd, netstate.TunnelKinds(), "kinds of tunnels to show, as ip -d link has them")
	cmd.Flags().BoolVar(&call.probe, "probe", false, "ask every peer now")
	cmd.Flags().BoolVar(&call.watch, "watch", false, "go on, and print the table again whenever it has changed")
	cmd.Flags().DurationVar(&call.every, "every", 2*time.Second, "how often --watch looks")
	call.output = cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return call.run(cmd) }
	cmd.AddCommand(warmCommand())
	return cmd
}

func (c *tunnelsCall) run(cmd *cobra.Command) error {
	if c.every < time.Second {
		return cli.UsageError(fmt.Errorf("--every %s is less than a second", c.every))
	}
	k, err := newKeeper(&c.flags, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	look := func(ctx context.Context) (tunnelTable, error) {
		return lookAtTunnels(ctx, k, c.probe, cmd.ErrOrStderr())
	}
	if c.watch {
		return watchTunnels(ctx, cmd, look, c.every, c.output)
	}
	found, err := look(ctx)
	if err == nil {
		err = printTunnels(cmd.OutOrStdout(), found, c.output)
	}
	if err == nil {
		err = found.verdict()
	}
	return err
}

// newKeeper gives what asks the peers of the namespace that we are in. It sees the
// tunnels of some kinds only, or all of them.
func newKeeper(flags *tunnelFlags, sees []string, log *slog.Logger) (*tunnel.Keeper, error) {
	extra, err := flags.extra()
	if err != nil {
		return nil, err
	}
	for _, kind := range flags.kinds {
		if all := netstate.TunnelKinds(); !slices.Contains(all, kind) {
			return nil, cli.UsageError(fmt.Errorf("read --kinds: %q is no kind of tunnel; there are %v", kind, all))
		}
	}
	node, err := netstate.OpenNode()
	if err != nil {
		return nil, err
	}
	return &tunnel.Keeper{
		Memory: tunnel.MemoryOf(flags.stateDir), Kinds: flags.kinds, Extra: extra, Interval: 4 * time.Minute,
		Dump: func() (netstate.TunnelDump, error) { return node.TunnelDump(sees...) },
		Local: func(addr netip.Addr) bool {
			hop, err := node.Lookup(addr)
			return err == nil && hop.Local
		},
		Watch: node.WatchRoutes, Open: node.ListenICMP, Log: log,
	}, nil
}
