// SPDX-License-Identifier: Apache-2.0

// Package tunnels is guardctl tunnels: it shows the peers of this node's tunnels, and
// keeps the tunnels warm.
package tunnels

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os/signal"
	"reflect"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// answerWait is how long answers of peers are awaited.
const answerWait = 500 * time.Millisecond

// Command returns guardctl tunnels.
func Command() *cobra.Command { return command(answerWait) }

// A showCall is guardctl tunnels with its flags.
type showCall struct {
	flags        flags
	probe, watch bool
	every        time.Duration
	output       *cli.Format
}

// command returns guardctl tunnels that awaits answers for a certain time.
func command(wait time.Duration) *cobra.Command {
	var call showCall
	cmd := &cobra.Command{
		Use:   "tunnels",
		Short: "Show the peers of this node's tunnels, and whether they answer",
		Long: "Tunnels lists the nodes at the other ends of this node's tunnels, as the routes,\n" +
			"neighbors and forwarding tables of this node show them, and the last result of\n" +
			"probing each. With --probe it pings them now.\n\n" +
			"Silence alone does not prove that a tunnel is broken: a node may be off, or its\n" +
			"firewall may drop pings. docs/tunnels.md says what to check then.\n\n" +
			"The exit code is 0 if every peer that was probed answered the first ping, 1 if one\n" +
			"did not, and 2 if that is unknown.",
		Example: "  guardctl tunnels --probe\n  guardctl tunnels --watch --kinds ipip",
		Args:    cli.NoArgs,
	}
	call.flags = flags{wait: wait}
	call.flags.add(cmd, netstate.TunnelKinds(), "kinds of tunnels to show, as ip -d link shows them")
	cmd.Flags().BoolVar(&call.probe, "probe", false, "ping every peer now")
	cmd.Flags().BoolVar(&call.watch, "watch", false, "keep running, and print the table again whenever it changes")
	cmd.Flags().DurationVar(&call.every, "every", 2*time.Second, "how often --watch checks")
	call.output = cli.OutputFlag(cmd, "text", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return call.run(cmd) }
	cmd.AddCommand(warmCommand(wait))
	return cmd
}

func (c *showCall) run(cmd *cobra.Command) error {
	if c.every < time.Second {
		return cli.UsageError(fmt.Errorf("--every %s is less than a second", c.every))
	}
	k, err := c.flags.keeper(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	read := func(ctx context.Context) (table, error) { return readTable(ctx, k, c.probe, cmd.ErrOrStderr()) }
	if c.watch {
		return watch(ctx, cmd, read, c.every, c.output)
	}
	t, err := read(ctx)
	if err == nil {
		err = t.write(cmd.OutOrStdout(), c.output)
	}
	if err == nil {
		err = t.exit()
	}
	return err
}

// watch prints the table whenever it has changed by more than times, until ctx ends. If
// the table cannot be read, although it could before, it warns and tries again.
func watch(ctx context.Context, cmd *cobra.Command, read func(context.Context) (table, error), every time.Duration, output *cli.Format) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before any
	for {
		t, err := read(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && before == nil {
			return err
		}
		if err != nil {
			cli.Warn(cmd, err)
		} else if now := t.withoutTimes(); !reflect.DeepEqual(now, before) {
			before = now
			if !output.JSON() {
				printable.Fprintf(cmd.OutOrStdout(), "\n%s\n", time.Now().Format(time.RFC3339))
			}
			if err := t.write(cmd.OutOrStdout(), output); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// flags are what both commands have in common.
type flags struct {
	stateDir string
	kinds    []string
	peers    []string
	wait     time.Duration // for answers
}

func (f *flags) add(cmd *cobra.Command, kinds []string, kindsUsage string) {
	cmd.Flags().StringVar(&f.stateDir, "state-dir", checks.DefaultStateDir, "the stateDir of the plugin's configuration")
	cmd.Flags().StringSliceVar(&f.kinds, "kinds", kinds, kindsUsage)
	cmd.Flags().StringSliceVar(&f.peers, "peers", nil, "further addresses, such as tunnel addresses of other nodes")
}

// keeper returns a Keeper of the network namespace of this process. It reads tunnels of
// some kinds only, or of all (nil).
func (f *flags) keeper(read []string, log *slog.Logger) (*tunnel.Keeper, error) {
	var extra []netip.Addr
	for _, text := range f.peers {
		addr, err := checks.ParsePeer(text)
		if err != nil {
			return nil, cli.UsageError(fmt.Errorf("read --peers: %w", err))
		}
		extra = append(extra, addr)
	}
	for _, kind := range f.kinds {
		if all := netstate.TunnelKinds(); !slices.Contains(all, kind) {
			return nil, cli.UsageError(fmt.Errorf("read --kinds: %q is not a kind of tunnel; valid are %v", kind, all))
		}
	}
	node, err := netstate.OpenNode()
	if err != nil {
		return nil, err
	}
	netstate.AskWireGuard(node)
	return &tunnel.Keeper{
		Store: tunnel.PeerStoreIn(f.stateDir), Kinds: f.kinds, Extra: extra, Interval: 4 * time.Minute, Wait: f.wait,
		Dump: func() (netstate.TunnelDump, error) { return node.TunnelDump(read...) },
		Local: func(addr netip.Addr) bool {
			hop, err := node.Lookup(addr)
			return err == nil && hop.Local
		},
		Watch: node.WatchRoutes, Open: node.ListenICMP, Log: log,
	}, nil
}

// readTable returns the table, and probes its peers before if wanted. If that takes longer
// than a second, it says so on progress.
func readTable(ctx context.Context, k *tunnel.Keeper, probe bool, progress io.Writer) (table, error) {
	dump, err := k.Dump()
	if err != nil {
		return table{}, cli.Unknown(err, "")
	}
	enumerated := tunnel.Enumerate(dump)
	peers := tunnel.Select(enumerated, k.Kinds, slices.DeleteFunc(slices.Clone(k.Extra), k.Local))
	t := table{NotEnumerable: opaqueDevices(enumerated, dump.Links, k.Kinds), probed: probe}
	var results []tunnel.ProbeResult
	if probe {
		stop := cli.Waiting(progress, fmt.Sprintf("answers of peers (there are %d)", len(peers)))
		results = k.ProbeAll(ctx)
		stop()
		t.errors = k.Errors()
	}
	states, err := k.Store.Load(time.Now())
	t.setLoadError(err)
	for _, p := range peers {
		t.Peers = append(t.Peers, newRow(p, states.Of(p), results))
	}
	return t, nil
}
