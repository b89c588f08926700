// SPDX-License-Identifier: Apache-2.0

// Package host is this node as the agent uses it: its checks, its conf dir, and the file
// of events.
package host

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/nodecheck"
	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/attached"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Host is the node that the agent runs on. Use New.
type Host struct {
	flags   *node.Node
	profile agent.Profile
	kernel  *netstate.Live
	suite   []*checks.Check
	log     *slog.Logger

	now     atomic.Pointer[view]
	found   chan struct{} // closed when the site was found for the first time
	once    sync.Once     // closes it
	diary   diary
	writers writers
	peers   peers
	keeping sync.Mutex
	good    goodFile // what the conf dir last was when all was well; guarded by keeping
}

var _ agent.Node = (*Host)(nil)

// A view is the node as it was last found. It is not changed.
type view struct {
	node  *node.Node
	entry node.GuardEntry
	found error // why the site was not found
}

// New returns the host that flags describe. It looks at nothing yet.
func New(flags *node.Node, profile agent.Profile, kernel *netstate.Live, log *slog.Logger) *Host {
	h := &Host{flags: flags, profile: profile, kernel: kernel, suite: checks.Suite(), log: log, found: make(chan struct{})}
	h.now.Store(&view{node: flags, entry: h.permitted(node.GuardEntry{Entry: checks.DefaultEntry()}), found: errors.New("find the runtime: not done yet")})
	return h
}

// IDs returns the IDs of the checks by name.
func (h *Host) IDs() map[string]string {
	ids := make(map[string]string, len(h.suite))
	for _, c := range h.suite {
		ids[c.Name] = c.ID
	}
	return ids
}

// Find finds the runtime, its directories and the configuration of the guard, as they are
// now. Without the runtime the configuration remains as it was read last.
func (h *Host) Find(ctx context.Context) error {
	n := *h.flags
	v := &view{node: &n, found: n.Find(ctx), entry: h.now.Load().entry}
	if v.found == nil {
		v.entry = h.readEntry(&n)
	}
	h.now.Store(v)
	if v.found == nil {
		h.once.Do(func() { close(h.found) })
	}
	return v.found
}

// Found returns a channel that is closed when the runtime and the configuration of the guard
// were found for the first time. Before that Entry returns defaults.
func (h *Host) Found() <-chan struct{} { return h.found }

// refresh reads again what may change without the runtime: the record of the installation
// and the configuration of the guard.
func (h *Host) refresh() *view {
	old := h.now.Load()
	if old.found != nil {
		return old
	}
	n := *old.node
	n.Record, _ = installer.ReadRecord(n.RecordDir) // Find reports the error
	v := &view{node: &n}
	v.entry = h.readEntry(&n)
	h.now.CompareAndSwap(old, v)
	return v
}

// readEntry returns the guard's configuration. What cannot be read of it has its defaults;
// the check guard-placement reports that.
func (h *Host) readEntry(n *node.Node) node.GuardEntry {
	entry, _ := n.GuardEntry()
	return h.permitted(entry)
}

// permitted returns a configuration without repairs if the profile allows none.
func (h *Host) permitted(entry node.GuardEntry) node.GuardEntry {
	if h.profile != agent.Repair {
		entry.Settings = nodecheck.WithoutRepairs(entry.Settings, h.suite)
	}
	return entry
}

// Entry returns the configuration of the guard as last read.
func (h *Host) Entry() node.GuardEntry { return h.now.Load().entry }

// kernelChecks are checks that read nothing but the kernel and the ledger: a look at them
// takes some hundred microseconds.
func kernelChecks() []string {
	return []string{"host-loopback", "ip-forwarding", "bridge-port", "routing-rules"}
}

// Look implements agent.Node.
func (h *Host) Look(ctx context.Context, names ...string) (guard.Report, error) {
	if len(names) == 0 {
		if err := h.Find(ctx); err != nil {
			h.log.Warn("cannot find the runtime", "error", err)
		}
		v := h.now.Load()
		h.diary.write(v.entry.StateDir, h.log) // what a full disk refused
		return nodecheck.Run(ctx, v.node, h.suite, v.entry, h.countPeers)
	}
	suite := slices.DeleteFunc(slices.Clone(h.suite), func(c *checks.Check) bool { return !slices.Contains(names, c.Name) })
	if slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(kernelChecks(), name) }) {
		v := h.refresh()
		return nodecheck.Run(ctx, v.node, suite, v.entry, h.countPeers)
	}
	v := h.now.Load()
	return guard.Run(ctx, suite, guard.Node, v.entry.Settings, h.target(v)), nil
}

// target is what the kernel's checks need.
func (h *Host) target(v *view) *checks.Target {
	return &checks.Target{
		Node: h.kernel, Options: v.entry.Settings.Options, StateDir: v.entry.StateDir, Thorough: true,
		Conf:        checks.Conf{Dir: v.node.Site.ConfDir, Runtime: v.node.Site.Runtime},
		ReturnPaths: func() ([]checks.ReturnPath, error) { return checks.ReturnPaths(h.kernel) },
		Attached:    func(context.Context) ([]checks.Attachment, error) { return attached.List(v.entry.StateDir) },
	}
}

// Dirs implements agent.Node.
func (h *Host) Dirs() []string {
	v := h.now.Load()
	if v.found != nil || v.node.Site.ConfDir == "" {
		return nil
	}
	dirs := []string{v.node.Site.ConfDir}
	for _, dir := range v.node.Site.Runtime.BinDirs {
		if !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
