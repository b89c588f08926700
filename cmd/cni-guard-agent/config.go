// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/kube"
	"github.com/cni-guard/cni-guard/cmd/internal/agentapi"
	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/agent"
)

// A config is what the flags say.
type config struct {
	node       *node.Node
	profile    string
	keep       string
	socket     string
	lockFile   string
	metrics    string // address; "off"
	kubernetes string // "auto", "on", "off"
	nodeName   string
	lookEvery  time.Duration
	echo       string // address; "off"
	tunnels    bool
	once       bool
}

func newConfig(cmd *cobra.Command) *config {
	c := &config{node: node.New(cmd)}
	all, own := cmd.PersistentFlags(), cmd.Flags()
	all.StringVar(&c.socket, "socket", agentapi.Socket, "unix socket on the node, which guardctl status and ping use")
	all.StringVar(&c.kubernetes, "kubernetes", "auto", "report to Kubernetes: auto (if it runs in a pod), on, off")
	all.StringVar(&c.nodeName, "node-name", os.Getenv("NODE_NAME"), "name of the node in the cluster (default: $NODE_NAME, or the host name)")
	own.StringVar(&c.profile, "profile", string(agent.Observe), "observe (only report) or repair (also repair what the checks can repair)")
	own.StringVar(&c.keep, "keep", string(agent.KeepReport), "what to do if the conf dir is not as installed: off, report, enforce (needs profile repair)")
	own.StringVar(&c.lockFile, "lock", "/run/cni-guard/agent.lock", "lock file that keeps a second agent on the node from starting")
	own.StringVar(&c.metrics, "metrics-address", "off", "address on which to serve /metrics, such as 127.0.0.1:9464 or :9464, or off")
	own.DurationVar(&c.lookEvery, "look-every", time.Minute, "time between two full looks, which run all checks; 10s to 1h")
	own.StringVar(&c.echo, "echo-address", "off", "address on which to answer the tunnel tests of the agents on other nodes, such as :10977, or off")
	own.BoolVar(&c.tunnels, "warm-tunnels", true, "keep tunnels warm by pinging their peers, with the options of the check tunnel-warmup (needs CAP_NET_RAW)")
	own.BoolVar(&c.once, "once", false, "run all checks once, print the result as JSON and exit")
	cli.Complete(cmd, "profile", agent.Profiles()...)
	cli.Complete(cmd, "keep", agent.Keeps()...)
	return c
}

// options checks the flags.
func (c *config) options() (agent.Options, error) {
	var o agent.Options
	if err := o.Profile.UnmarshalText([]byte(c.profile)); err != nil {
		return o, cli.UsageError(fmt.Errorf("read --profile: %w", err))
	}
	if err := o.Keep.UnmarshalText([]byte(c.keep)); err != nil {
		return o, cli.UsageError(fmt.Errorf("read --keep: %w", err))
	}
	if o.Keep == agent.KeepEnforce && o.Profile != agent.Repair {
		return o, cli.UsageError(errors.New("--keep enforce changes the conf dir: it needs --profile repair"))
	}
	if c.lookEvery < 10*time.Second || c.lookEvery > time.Hour {
		return o, cli.UsageError(fmt.Errorf("--look-every %s is not from 10s to 1h", c.lookEvery))
	}
	o.LookEvery = c.lookEvery
	for flag, address := range map[string]string{"metrics-address": c.metrics, "echo-address": c.echo} {
		if _, _, err := net.SplitHostPort(address); address != "off" && err != nil {
			return o, cli.UsageError(fmt.Errorf("read --%s: %w", flag, err))
		}
	}
	return o, nil
}

// name returns the name of the node.
func (c *config) name() string {
	host, _ := os.Hostname() // "" is reported as it is
	return cmp.Or(c.nodeName, host)
}

// client returns the way to the API server, nil if there is none. It is called before the
// root of the process changes: the credentials are files of the container.
func (c *config) client() (*kube.Client, error) {
	switch c.kubernetes {
	case "off":
		return nil, nil
	case "auto", "on":
	default:
		return nil, cli.UsageError(fmt.Errorf("read --kubernetes: %q is none of auto, on, off", c.kubernetes))
	}
	client, err := kube.InCluster()
	if errors.Is(err, kube.ErrNoCluster) && c.kubernetes == "auto" {
		return nil, nil
	}
	return client, err
}

func clearCommand(c *config) *cobra.Command {
	return &cobra.Command{
		Use:   "clear-condition",
		Short: "Remove the condition that the agent wrote for this node",
		Long: "Clear-condition removes cni-guard.io/NetworkProblem from the status of this node. Run\n" +
			"it when you uninstall the agent, after the agent has stopped.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.client()
			if err != nil {
				return err
			}
			if client == nil {
				return errors.New("clear the condition: not running in a pod of a cluster: run this in a pod, with --node-name NODE")
			}
			return client.ClearCondition(cmd.Context(), c.name())
		},
	}
}
