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
	cmd.Flags().StringVar(&f.stateDir, "state-dir", "/run/cni-guard", "the stateDir of the plugin's configuration")
	cmd.Flags().StringSliceVar(&f.kinds, "kinds", kinds, kindsMean)
	cmd.Flags().StringSliceVar(&f.peers, "peers", nil, "further addresses, such as tunnel addresses of other nodes")
}

// extra gives the further addresses.
func (f *tunnelFlags) extra() ([]netip.Addr, error) {
	addrs := make([]netip.Addr, len(f.peers))
	for i, text := range f.peers {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("read --peers: %w", err)
		}
		addrs[i] = addr
	}
	return addrs, nil
}

// tunnelKinds are all kinds that have peers.
func tunnelKinds() []string {
	return []string{"ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "vxlan", "geneve", "wireguard", "openvswitch"}
}

func tunnelsCommand() *cobra.Command {
	var flags tunnelFlags
	var probe, watch bool
	var every time.Duration
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
		Args:    cobra.NoArgs,
	}
	flags.add(cmd, tunnelKinds(), "kinds of tunnels to show, as ip -d link has them")
	cmd.Flags().BoolVar(&probe, "probe", false, "ask every peer now")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on, and print the table again whenever it has changed")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often --watch looks")
	output := outputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if every < time.Second {
			return fmt.Errorf("--every %s is less than a second", every)
		}
		k, err := newKeeper(&flags, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		if watch {
			return watchTunnels(ctx, cmd, k, probe, every, output)
		}
		found, err := tunnelsNow(ctx, k, probe)
		if err == nil {
			err = printTunnels(cmd.OutOrStdout(), found, output)
		}
		if err == nil {
			err = found.verdict()
		}
		return err
	}
	cmd.AddCommand(warmCommand())
	return cmd
}

// newKeeper gives what asks the peers of the namespace that we are in.
func newKeeper(flags *tunnelFlags, log *slog.Logger) (*tunnel.Keeper, error) {
	extra, err := flags.extra()
	if err != nil {
		return nil, err
	}
	for _, kind := range flags.kinds {
		if !slices.Contains(tunnelKinds(), kind) {
			return nil, fmt.Errorf("read --kinds: %q is no kind of tunnel; there are %v", kind, tunnelKinds())
		}
	}
	node, err := netstate.OpenNode()
	if err != nil {
		return nil, err
	}
	return &tunnel.Keeper{
		Memory: tunnel.MemoryOf(flags.stateDir), Kinds: flags.kinds, Extra: extra, Interval: 4 * time.Minute,
		Dump: func() (netstate.TunnelDump, error) { return node.TunnelDump() }, Watch: node.WatchRoutes, Open: node.ListenICMP, Log: log,
	}, nil
}

// tunnelsNow gives the table, of which peers are asked where that is wanted.
func tunnelsNow(ctx context.Context, k *tunnel.Keeper, probe bool) (tunnelTable, error) {
	dump, err := k.Dump()
	if err != nil {
		return tunnelTable{}, &exitError{code: cannotTell, err: err}
	}
	table := tunnel.Enumerate(dump)
	found := tunnelTable{NotEnumerable: notEnumerable(table, k.Kinds)}
	var asked []tunnel.Answer
	if probe {
		asked = k.Once(ctx)
		found.trouble = k.Trouble()
	}
	known, _ := k.Memory.Load(time.Now()) // what cannot be read is not known
	for _, p := range tunnel.Select(table, k.Kinds, k.Extra) {
		found.Peers = append(found.Peers, rowOf(p, known.Peers[p.Probed], asked))
	}
	return found, nil
}
