// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/host"
	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/kube"
	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/metrics"
	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/peers"
	"github.com/cni-guard/cni-guard/cmd/internal/agentapi"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// run runs the agent until a signal.
func (c *config) run(cmd *cobra.Command) error {
	options, err := c.options()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := c.node.EnterRoot(); err != nil {
		return err
	}
	kernel, err := netstate.OpenNode()
	if err != nil {
		return err
	}
	defer kernel.Close()
	netstate.AskWireGuard(kernel)
	log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)).With("node", c.name())
	h := host.New(c.node, options.Profile, kernel, log)
	options.Node, options.Kernel, options.IDs, options.Log = h, kernel, h.IDs(), log
	if c.once {
		return c.look(ctx, cmd, options)
	}
	return c.serve(ctx, options, h, kernel, client)
}

// look makes one look and prints what the agent knows after it.
func (c *config) look(ctx context.Context, cmd *cobra.Command, options agent.Options) error {
	options.Log = slog.New(slog.DiscardHandler)
	a := agent.New(options)
	report, err := a.Once(ctx)
	if err != nil {
		return err
	}
	if err := cli.PrintJSON(cmd.OutOrStdout(), c.status(a)); err != nil {
		return err
	}
	code := cli.ExitOK
	for _, o := range report.Outcomes {
		switch {
		case o.State == guard.Failed && !o.Minor():
			return cli.Exit(cli.ExitFindings)
		case o.State == guard.Unknown:
			code = cli.ExitUnknown
		}
	}
	return cli.Exit(code)
}

func (c *config) status(a *agent.Agent) agentapi.Status {
	return agentapi.Status{SchemaVersion: agentapi.SchemaVersion, Version: build, Node: c.name(), PID: os.Getpid(), Status: a.Status()}
}

// serve runs all parts until ctx ends. Only the part that mends must be there: the others
// report their errors and are tried again.
func (c *config) serve(ctx context.Context, options agent.Options, h *host.Host, kernel *netstate.Live, client *kube.Client) error {
	unlock, err := lockOnly(ctx, c.lockFile, options.Log)
	if err != nil || ctx.Err() != nil {
		return err
	}
	defer unlock()
	var reporter *kube.Reporter
	var kubeMetrics func() metrics.Kubernetes
	var a *agent.Agent
	if client != nil {
		reporter = kube.NewReporter(client, c.name(), func() agent.Status { return a.Status() }, options.Log)
		options.Changed, kubeMetrics = reporter.Changed, reporter.Metrics
	}
	a = agent.New(options)
	socket, err := agentapi.Listen(c.socket)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		if err := agentapi.Serve(ctx, socket, agentapi.Handler(func() agentapi.Status { return c.status(a) })); err != nil {
			options.Log.Error("the socket failed: guardctl status and the liveness probe get no answer", "error", err)
		}
	})
	if c.metrics != "off" {
		registry := metrics.Registry(metrics.New(build, a.Status, kubeMetrics))
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
		all.Go(func() { serveMetrics(ctx, c.metrics, mux, options.Log) })
	}
	if reporter != nil {
		all.Go(func() { reporter.Run(ctx) })
	}
	if c.keep != string(agent.KeepOff) {
		all.Go(func() { h.FollowWriters(ctx) })
	}
	if c.tunnels {
		all.Go(func() {
			peers.KeepWarm(ctx, kernel, h.Found(), func() checks.Entry { return h.Entry().Entry }, options.Log)
		})
	}
	if c.echo != "off" {
		all.Go(func() {
			if err := peers.Answer(ctx, c.echo, options.Log); err != nil {
				options.Log.Error("cannot answer echo requests", "error", err)
			}
		})
	}
	options.Log.Info("the agent has started", "version", build, "profile", options.Profile, "keep", options.Keep)
	a.Run(ctx)
	options.Log.Info("stopped by a signal")
	return nil
}

// serveMetrics serves until ctx ends. It tries again if the port is in use.
func serveMetrics(ctx context.Context, address string, h http.Handler, log *slog.Logger) {
	for ctx.Err() == nil {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			log.Info("serving metrics", "address", l.Addr().String())
			server := &http.Server{Handler: h, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
			stop := context.AfterFunc(ctx, func() { _ = server.Close() })
			err = server.Serve(l)
			stop()
		}
		if ctx.Err() != nil {
			return
		}
		log.Warn("cannot serve metrics", "address", address, "error", err)
		select {
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
		}
	}
}

// lockEvery is the time between two attempts to be the only agent.
const lockEvery = 2 * time.Second

// lockOnly waits until this is the only agent of the node. The kernel releases the lock of
// one that is killed.
func lockOnly(ctx context.Context, path string, log *slog.Logger) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	waiting := false
	for ctx.Err() == nil {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if !waiting {
			waiting = true
			log.Warn("another agent runs on this node: waiting for it to stop", "lock", path)
		}
		select {
		case <-time.After(lockEvery):
		case <-ctx.Done():
		}
	}
	_ = f.Close()
	return func() {}, nil
}
