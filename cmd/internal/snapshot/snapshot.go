// SPDX-License-Identifier: Apache-2.0

// Package snapshot records everything that the checks of a node look at, stores it in a
// bundle, and runs the same checks again on what was stored. The checks of a snapshot see
// neither the kernel nor the files of the machine that they run on: they get the answers
// that were recorded, and what was not asked then is unknown.
//
// docs/bundle.md describes the files of a bundle.
package snapshot

import (
	"context"
	"net"
	"reflect"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// A Snapshot is a node at one time. A new one is recorded (FS, Record) and then written
// (Write); one that was read (Open) is a node.Recording.
type Snapshot struct {
	Manifest Manifest
	// Report is what doctor reported when the snapshot was made.
	Report report.Report

	facts  facts
	kernel kernel
	files  Files
	calls  Answers // of the functions of a checks.Target, and of conflist.Runtime.Supports
	misses misses
}

var _ node.Recording = (*Snapshot)(nil)

// The facts are what a checks.Target and a node.Node have as plain values.
type facts struct {
	Time     time.Time     `json:"time"`
	Site     siteFacts     `json:"site"`
	Assumed  bool          `json:"assumed,omitempty"`
	Notes    []string      `json:"notes,omitempty"`
	ConfDir  string        `json:"confDir"`
	Network  string        `json:"network,omitempty"`
	Intent   assess.Intent `json:"intent"`
	Root     string        `json:"root,omitempty"`
	StateDir string        `json:"stateDir,omitempty"`
	Thorough bool          `json:"thorough,omitempty"`
	// Functions are the functions that the target had.
	Functions map[string]bool `json:"functions"`
}

// The siteFacts are a site.Site without its functions.
type siteFacts struct {
	Kind             conflist.Kind `json:"kind"`
	MaxConfNum       int           `json:"maxConfNum"`
	DefaultNetwork   string        `json:"defaultNetwork,omitempty"`
	BinDirs          []string      `json:"binDirs"`
	Name             string        `json:"name,omitempty"`
	Unit             string        `json:"unit,omitempty"`
	Socket           string        `json:"socket,omitempty"`
	ConfDir          string        `json:"confDir"`
	BinDir           string        `json:"binDir,omitempty"`
	CacheDir         string        `json:"cacheDir,omitempty"`
	ClassDirs        []string      `json:"classDirs,omitempty"`
	InternalLoopback bool          `json:"internalLoopback,omitempty"`
}

// New returns an empty snapshot of the present time.
func New() *Snapshot {
	return &Snapshot{facts: facts{Time: time.Now().UTC(), Functions: map[string]bool{}}}
}

// FS returns the files of this machine. What is read through it is recorded.
func (s *Snapshot) FS() hostfs.FS { return recordingFS{hostfs.OS{}, &s.files} }

// RecordNode records what is known of a node before its checks run, and makes what is
// read of its files pass through FS.
func (s *Snapshot) RecordNode(n *node.Node) {
	of := n.Site
	s.facts.Site = siteFacts{
		Kind: of.Runtime.Kind, MaxConfNum: of.Runtime.MaxConfNum, DefaultNetwork: of.Runtime.DefaultNetwork, BinDirs: of.Runtime.BinDirs,
		Name: of.Name, Unit: of.Unit, Socket: of.Socket, ConfDir: of.ConfDir, BinDir: of.BinDir, CacheDir: of.CacheDir,
		ClassDirs: of.ClassDirs, InternalLoopback: of.InternalLoopback,
	}
	s.facts.Assumed, s.facts.Notes = n.Assumed, n.Notes
	s.recordRuntime(&n.Site.Runtime)
}

// recordRuntime makes what is asked of the files and plugins of a runtime be recorded.
func (s *Snapshot) recordRuntime(r *conflist.Runtime) {
	if _, ok := r.Files.(recordingFS); ok {
		return
	}
	r.Files = recordingFS{hostfs.Or(r.Files), &s.files}
	if supports := r.Supports; supports != nil {
		s.facts.Functions["Supports"] = true
		r.Supports = func(binary, version string) error {
			_, err := record(&s.calls, struct{}{}, supports(binary, version), "Supports", binary, version)
			return err
		}
	}
}

// Record records the values of a target, and makes it record what the checks ask it.
func (s *Snapshot) Record(t *checks.Target) {
	s.recordRuntime(&t.Conf.Runtime)
	f := &s.facts
	f.ConfDir, f.Network, f.Intent = t.Conf.Dir, t.Conf.Network, t.Conf.Intent
	f.Root, f.StateDir, f.Thorough = t.Root, t.StateDir, t.Thorough
	if f.Site.Kind == 0 { // there was no RecordNode
		r := t.Conf.Runtime
		f.Site = siteFacts{Kind: r.Kind, MaxConfNum: r.MaxConfNum, DefaultNetwork: r.DefaultNetwork, BinDirs: r.BinDirs, ConfDir: t.Conf.Dir}
	}
	t.Files = t.Conf.Runtime.Files
	live := t.Node
	t.Node = recorder{live, &s.kernel}
	f.Functions[watchCounters] = true
	t.WatchCounters = func(ctx context.Context, were map[string]uint64, within time.Duration) (map[string]uint64, error) {
		v, err := checks.WatchCounters(ctx, live, were, within)
		return record(&s.calls, v, err, askCounters(were)...)
	}
	if t.ReturnPaths != nil {
		f.Functions["ReturnPaths"] = true
		t.ReturnPaths = func() ([]checks.ReturnPath, error) { return checks.ReturnPaths(t.Node) }
	}
	if loopback := t.Conf.Loopback; loopback != nil {
		f.Functions["Loopback"] = true
		t.Conf.Loopback = func() (checks.Loopback, error) {
			v, err := loopback()
			return record(&s.calls, v, err, "Loopback")
		}
	}
	if try := t.TryInotify; try != nil {
		f.Functions["TryInotify"] = true
		t.TryInotify = func() error {
			_, err := record(&s.calls, struct{}{}, try(), "TryInotify")
			return err
		}
	}
	if ask := t.SourceDestCheck; ask != nil {
		f.Functions["SourceDestCheck"] = true
		t.SourceDestCheck = func(ctx context.Context, mac net.HardwareAddr) (checks.CloudInterface, error) {
			v, err := ask(ctx, mac)
			return record(&s.calls, v, err, "SourceDestCheck", mac.String())
		}
	}
	for name, function := range textFunctions(&t.Conf) {
		if ask := *function; ask != nil {
			f.Functions[name] = true
			*function = func() (string, error) {
				v, err := ask()
				return record(&s.calls, v, err, name)
			}
		}
	}
	if attached := t.Attached; attached != nil {
		f.Functions["Attached"] = true
		t.Attached = func(ctx context.Context) ([]checks.Attachment, error) {
			v, err := attached(ctx)
			return record(&s.calls, v, err, "Attached")
		}
	}
	for name, inspection := range inspectionsOf(&t.Conf.Inspect) {
		if look := *inspection; look != nil {
			f.Functions[name] = true
			*inspection = func(ctx context.Context) ([]guard.Finding, error) {
				v, err := look(ctx)
				return record(&s.calls, v, err, name)
			}
		}
	}
}

// textFunctions returns the functions of a Conf that return a text, by their names.
func textFunctions(c *checks.Conf) map[string]*func() (string, error) {
	return map[string]*func() (string, error){"Caller": &c.Caller, "CRIODefaultNetwork": &c.CRIODefaultNetwork}
}

// inspectionsOf returns the fields of a checks.Inspections by their names.
func inspectionsOf(all *checks.Inspections) map[string]*checks.Inspection {
	fields := map[string]*checks.Inspection{}
	of := reflect.ValueOf(all).Elem()
	for i := range of.NumField() {
		if field, ok := of.Field(i).Addr().Interface().(*checks.Inspection); ok {
			fields["Inspect."+of.Type().Field(i).Name] = field
		}
	}
	return fields
}

// runtime returns the runtime with the recorded files and plugins.
func (s *Snapshot) runtime() conflist.Runtime {
	f := s.facts.Site
	r := conflist.Runtime{
		Kind: f.Kind, MaxConfNum: f.MaxConfNum, DefaultNetwork: f.DefaultNetwork, BinDirs: f.BinDirs,
		Files: replayFS{files: &s.files, missed: s.misses.add},
	}
	if s.facts.Functions["Supports"] {
		r.Supports = func(binary, version string) error {
			_, err := replay[struct{}](&s.calls, "Supports", binary, version)
			return err
		}
	}
	return r
}

// Describe makes n the node of the snapshot.
func (s *Snapshot) Describe(n *node.Node) {
	f := s.facts.Site
	n.Site = site.Site{
		Runtime: s.runtime(), Name: f.Name, Unit: f.Unit, Socket: f.Socket, ConfDir: f.ConfDir, BinDir: f.BinDir,
		CacheDir: f.CacheDir, ClassDirs: f.ClassDirs, InternalLoopback: f.InternalLoopback, How: s.facts.Notes,
	}
	n.Assumed, n.Notes, n.Record, n.Recording = s.facts.Assumed, s.facts.Notes, nil, s
}

// Target implements node.Recording.
func (s *Snapshot) Target(e node.GuardEntry) *checks.Target {
	f := s.facts
	s.kernel.Answers.rewind()
	s.calls.rewind()
	t := &checks.Target{
		Node: newReplayed(&s.kernel), Options: e.Settings.Options, Root: f.Root, StateDir: f.StateDir, Thorough: f.Thorough,
		Conf: checks.Conf{Dir: f.ConfDir, Network: f.Network, Runtime: s.runtime(), Intent: f.Intent},
		Now:  func() time.Time { return f.Time },
	}
	t.Files = t.Conf.Runtime.Files
	t.WatchCounters = func(_ context.Context, were map[string]uint64, _ time.Duration) (map[string]uint64, error) {
		if !f.Functions[watchCounters] {
			return rereadCounters(t.Node, were)
		}
		return replay[map[string]uint64](&s.calls, askCounters(were)...)
	}
	if f.Functions["ReturnPaths"] {
		t.ReturnPaths = func() ([]checks.ReturnPath, error) { return checks.ReturnPaths(t.Node) }
	}
	if f.Functions["Loopback"] {
		t.Conf.Loopback = func() (checks.Loopback, error) { return replay[checks.Loopback](&s.calls, "Loopback") }
	}
	if f.Functions["TryInotify"] {
		t.TryInotify = func() error {
			_, err := replay[struct{}](&s.calls, "TryInotify")
			return err
		}
	}
	if f.Functions["SourceDestCheck"] {
		t.SourceDestCheck = func(_ context.Context, mac net.HardwareAddr) (checks.CloudInterface, error) {
			return replay[checks.CloudInterface](&s.calls, "SourceDestCheck", mac.String())
		}
	}
	for name, function := range textFunctions(&t.Conf) {
		if f.Functions[name] {
			*function = func() (string, error) { return replay[string](&s.calls, name) }
		}
	}
	if f.Functions["Attached"] {
		t.Attached = func(context.Context) ([]checks.Attachment, error) {
			return replay[[]checks.Attachment](&s.calls, "Attached")
		}
	}
	for name, inspection := range inspectionsOf(&t.Conf.Inspect) {
		if f.Functions[name] {
			*inspection = func(context.Context) ([]guard.Finding, error) { return replay[[]guard.Finding](&s.calls, name) }
		}
	}
	return t
}

// Suite implements node.Recording. A check that passed, or was skipped, although it asked
// for something that was not recorded, is unknown.
func (s *Snapshot) Suite(suite []*checks.Check) []*checks.Check {
	all := make([]*checks.Check, 0, len(suite))
	for _, c := range suite {
		replayed := *c
		replayed.Probe = func(ctx context.Context, t *checks.Target) ([]guard.Finding, error) {
			s.misses.take()
			findings, err := c.Probe(ctx, t)
			missed := s.misses.take()
			if missed != nil && len(findings) == 0 && (err == nil || guard.Skips(err)) {
				return nil, missed
			}
			return findings, err
		}
		all = append(all, &replayed)
	}
	return all
}

// misses are the questions that a check asked and that were not recorded.
type misses struct {
	mu    sync.Mutex
	first string
}

func (m *misses) add(question string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == "" {
		m.first = question
	}
}

// take returns an error that names the first, and forgets all; nil if there was none.
func (m *misses) take() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.first
	if m.first = ""; first == "" {
		return nil
	}
	return &replayedError{text: first + ": " + ErrNotRecorded.Error(), causes: []error{ErrNotRecorded}}
}
