// SPDX-License-Identifier: Apache-2.0

// Package peers is what the agent does for the tunnels of the cluster: it keeps the peers
// of this node warm, and answers when other nodes test the way through a tunnel.
package peers

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/echo"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// warmInterval is the longest time between two pings of a peer, if the option interval is not
// shorter: connection tracking forgets a tunnel after ten minutes, and one ping may be lost.
const warmInterval = 4 * time.Minute

// Settings are what the guard's entry says of tunnels.
type Settings struct {
	Kinds    []string
	Extra    []netip.Addr
	Interval time.Duration // between two pings of a peer, at most
	StateDir string
}

// SettingsOf returns the settings of an entry; off if the check tunnel-warmup is off.
func SettingsOf(e checks.Entry) (s Settings, off bool) {
	o := guard.OptionsOf[*checks.TunnelWarmupOptions](e.Settings.Options)
	return Settings{o.Kinds, o.Peers, min(o.Interval, warmInterval), e.StateDir}, e.Settings.Checks[checks.TunnelWarmup.Name].Policy == guard.Off || e.StateDir == ""
}

// same reports whether two settings are the same.
func (s Settings) same(other Settings) bool {
	return slices.Equal(s.Kinds, other.Kinds) && slices.Equal(s.Extra, other.Extra) && s.Interval == other.Interval && s.StateDir == other.StateDir
}

// KeepWarm keeps the peers of this node's tunnels warm until ctx ends, as the entry says at
// the time: it asks for the entry every minute. It begins when found is closed, so that it
// never follows defaults that the node's configuration overrides.
func KeepWarm(ctx context.Context, kernel *netstate.Live, found <-chan struct{}, entry func() checks.Entry, log *slog.Logger) {
	select {
	case <-found:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		s, off := SettingsOf(entry())
		if off {
			log.Info("the peers of tunnels are not kept warm: the check tunnel-warmup is off")
		} else {
			log.Info("keeping the peers of tunnels warm", "kinds", s.Kinds, "peers", s.Extra, "interval", s.Interval.String())
		}
		run, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if !off {
				keeper(kernel, s, log).Run(run)
			}
		}()
		changed := false
		tick := time.NewTicker(time.Minute)
		for !changed && ctx.Err() == nil {
			select {
			case <-tick.C:
				now, nowOff := SettingsOf(entry())
				changed = nowOff != off || !now.same(s)
			case <-ctx.Done():
			}
		}
		tick.Stop()
		stop()
		<-done
	}
}

func keeper(kernel *netstate.Live, s Settings, log *slog.Logger) *tunnel.Keeper {
	return &tunnel.Keeper{
		Store: tunnel.PeerStoreIn(s.StateDir), Kinds: s.Kinds, Extra: s.Extra, Interval: s.Interval, Wait: time.Second,
		Dump: func() (netstate.TunnelDump, error) { return kernel.TunnelDump(s.Kinds...) },
		Local: func(addr netip.Addr) bool {
			hop, err := kernel.Lookup(addr)
			return err == nil && hop.Local
		},
		Watch: kernel.WatchRoutes, Open: kernel.ListenICMP, Log: log.With("part", "tunnels"),
	}
}

// Answer serves the echo requests of other nodes until ctx ends. It tries again if the port
// is in use.
func Answer(ctx context.Context, address string, log *slog.Logger) error {
	if strings.HasPrefix(address, ":") {
		address = "[::]" + address
	}
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("read the address for echo requests: %w", err)
	}
	for ctx.Err() == nil {
		server, err := echo.Listen(addr)
		if err == nil {
			log.Info("answering echo requests", "port", server.Port())
			err = server.Serve(ctx)
			server.Close()
		}
		if ctx.Err() != nil {
			return nil
		}
		log.Warn("cannot answer echo requests", "error", err)
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
		}
	}
	return nil
}
