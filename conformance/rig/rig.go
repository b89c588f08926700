// SPDX-License-Identifier: Apache-2.0

// Package rig gives a scenario a private node with a real runtime on it, and
// writes down what the scenario sees there.
package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// A Setup is what a scenario wants its node to be like.
type Setup struct {
	Addresses  int            // how many pods can have one at a time; 0 for plenty
	CNIVersion string         // of the conflist; 1.0.0 where empty
	Guard      map[string]any // keys of the guard's entry beyond what it needs
	Late       bool           // the scenario installs the guard itself
	Bridge     bool           // pods on a bridge, which stays when they go, instead of ptp
	Range      string         // of the pods; 10.88.0.0/24 where empty
	Settings   runtimes.Settings
}

// Dirs are what the suite brings along.
type Dirs struct {
	Ref   string // of the reference plugins
	Guard string // of our programs
}

// A Rig is what a scenario plays on.
type Rig struct {
	Guarded bool // this is the run with the guard; without, InstallGuard does nothing
	Runtime runtimes.Runtime

	node    *node.Node
	before  string // snapshot of the node
	outside string // path of the machine beyond it, once plugged in
	site    runtimes.Site
	folders Dirs
	setup   Setup

	mu        sync.Mutex
	sightings []claim.Sighting
}

// New makes the process's own namespaces, which scripts/in-node gave it, a node
// with a runtime that is not started yet. Scratch is an empty directory.
func New(scratch string, guarded bool, setup Setup, folders Dirs, site runtimes.Site, make func(runtimes.Site) runtimes.Runtime) (*Rig, error) {
	n, err := node.Here()
	if err != nil {
		return nil, err
	}
	// These are the machine's; what is mounted there goes with this node, whatever
	// happens.
	for _, dir := range []string{scratch, "/var/lib/cni", "/dev/shm"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return nil, fmt.Errorf("mount tmpfs on %s: %w", dir, err)
		}
	}
	site.Node, site.Disk, site.Bin = n.Path, scratch, filepath.Join(scratch, "bin")
	if err := os.MkdirAll(site.Bin, 0o755); err != nil {
		return nil, fmt.Errorf("make rig: %w", err)
	}
	return &Rig{Guarded: guarded, Runtime: make(site), node: n, site: site, folders: folders, setup: setup}, nil
}

// Raise installs the plugins and starts the runtime.
func (s *Rig) Raise(ctx context.Context) error {
	if r, ok := s.Runtime.(runtimes.Configurable); ok {
		r.Set(s.setup.Settings)
	}
	if err := s.install(s.folders.Ref, "ptp", "bridge", "macvlan", "ipvlan", "host-local", "loopback"); err != nil {
		return err
	}
	if s.setup.Late {
		if err := s.Runtime.Configure(ctx, s.version(), s.network()...); err != nil {
			return err
		}
	} else if err := s.InstallGuard(ctx); err != nil {
		return err
	}
	if err := s.Runtime.Start(ctx); err != nil {
		return err
	}
	var err error
	s.before, err = node.Snapshot(s.node.Path)
	return err
}

// NodeNamespace is the path of the node's own namespace.
func (s *Rig) NodeNamespace() string { return s.node.Path }

// See writes down what was seen. Detail is what there was instead.
func (s *Rig) See(c claim.Claim, held bool, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held {
		detail = ""
	}
	s.sightings = append(s.sightings, claim.Sighting{Claim: c, Held: held, Detail: detail})
}

// Sightings returns everything that was seen so far.
func (s *Rig) Sightings() []claim.Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]claim.Sighting(nil), s.sightings...)
}

func (s *Rig) version() string {
	if s.setup.CNIVersion == "" {
		return "1.0.0"
	}
	return s.setup.CNIVersion
}

// network is the conflist without the guard.
func (s *Rig) network() []chain.Plugin {
	ipam := chain.HostLocal(s.leaseDir())
	if n := s.setup.Addresses; n > 0 {
		ipam = ipam.With("ranges", [][]map[string]string{{{
			"subnet":     "10.88.0.0/24",
			"rangeStart": "10.88.0.10",
			"rangeEnd":   fmt.Sprintf("10.88.0.%d", 10+n-1),
		}}})
	}
	if s.setup.Range != "" {
		ipam = ipam.With("ranges", [][]map[string]string{{{"subnet": s.setup.Range}}})
	}
	if s.setup.Bridge {
		return []chain.Plugin{chain.Bridge(ipam)}
	}
	return []chain.Plugin{chain.PTP(ipam)}
}

// HostLocal allocates where Leased and SeeAddress look.
func (s *Rig) HostLocal() chain.Plugin { return chain.HostLocal(s.leaseDir()) }

func (s *Rig) leaseDir() string { return filepath.Join(s.site.Disk, "leases") }
