// SPDX-License-Identifier: Apache-2.0

// Package nodecheck runs the checks that need no pod on this node, for guardctl doctor
// and for the agent.
package nodecheck

import (
	"context"
	"os"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/attached"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// WithoutRepairs returns the settings with every repair switched off.
func WithoutRepairs(s guard.Settings, suite []*checks.Check) guard.Settings {
	no := false
	all := make(map[string]guard.Setting, len(suite))
	for _, c := range suite {
		setting := s.Checks[c.Name]
		setting.Repair = &no
		all[c.Name] = setting
	}
	s.Checks = all
	return s
}

// Run runs the checks of suite at the stage Node: on the node that this process is on, or
// on the one that was recorded. Each of with may complete the target of the former.
func Run(ctx context.Context, n *node.Node, suite []*checks.Check, e node.GuardEntry, with ...func(*checks.Target)) (guard.Report, error) {
	if r := n.Recording; r != nil {
		return guard.Run(ctx, r.Suite(suite), guard.Node, e.Settings, r.Target(e)), nil
	}
	kernel, err := netstate.OpenNode()
	if err != nil {
		return guard.Report{}, err
	}
	defer kernel.Close()
	netstate.AskWireGuard(kernel)
	target := Target(n, e, kernel)
	for _, complete := range with {
		complete(target)
	}
	return guard.Run(ctx, suite, guard.Node, e.Settings, target), nil
}

// Target returns what the checks look at on the node that this process is on, at the
// stage Node.
func Target(n *node.Node, e node.GuardEntry, kernel netstate.View) *checks.Target {
	target := &checks.Target{
		Node: kernel, Options: e.Settings.Options, StateDir: e.StateDir,
		Conf: checks.Conf{
			Dir: n.Site.ConfDir, Runtime: n.Site.Runtime,
			Loopback: func() (checks.Loopback, error) { return loopback(n) },
		},
		SourceDestCheck: n.SourceDestCheck,
		Thorough:        true, ReturnPaths: func() ([]checks.ReturnPath, error) { return checks.ReturnPaths(kernel) },
		Attached: func(context.Context) ([]checks.Attachment, error) { return attached.List(e.StateDir) },
	}
	if os.Geteuid() == 0 { // each user has limits of its own, and a runtime has root's
		target.TryInotify = checks.TryInotify
	}
	if s, err := conflist.Select(n.Site.ConfDir, n.Site.Runtime); err == nil { // the check conflist reports the error
		target.Conf.Intent = n.Intent(s)
	}
	target.Conf.Inspect = inspections(n, e.StateDir)
	return target
}

// loopback returns the loopback plugin that the runtime calls, if it calls one.
func loopback(n *node.Node) (checks.Loopback, error) {
	if n.Site.InternalLoopback {
		return checks.Loopback{Internal: true}, nil
	}
	return pluginquery.FindLoopback(n.Site.Runtime.BinDirs)
}
