// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/conformance/chain"
)

// InstallGuard does what the README tells operators to do: the programs, the
// entry in the conflist, our loopback in the place of the reference one.
func (s *Rig) InstallGuard(ctx context.Context) error {
	if !s.Guarded {
		return s.Runtime.Configure(ctx, s.version(), s.network()...)
	}
	if err := s.install(s.folders.Guard, "cni-guard", "guardctl", "loopback"); err != nil {
		return err
	}
	return s.Runtime.Configure(ctx, s.version(), append(s.network(), s.guard())...)
}

// guard returns the guard's entry.
func (s *Rig) guard() chain.Plugin {
	guard := s.Runtime.Guard()
	maps.Copy(guard, s.setup.Guard)
	return guard
}

// A GuardEntry is a place of the guard's entry in the conflist.
type GuardEntry int

// The places. Around is called bookend by guardctl.
const (
	Behind GuardEntry = iota
	Around
)

// Chain configures another chain, with the guard at that place if there is one.
func (s *Rig) Chain(ctx context.Context, where GuardEntry, plugins ...chain.Plugin) error {
	if s.Guarded {
		plugins = append(plugins, s.guard())
		if where == Around {
			plugins = append([]chain.Plugin{s.guard()}, plugins...)
		}
	}
	return s.Runtime.Configure(ctx, s.version(), plugins...)
}

// UninstallGuard takes the entry out of the conflist and puts the reference
// loopback back. DiscardGuard is the README's last step.
func (s *Rig) UninstallGuard(ctx context.Context) error {
	if err := s.Runtime.Configure(ctx, s.version(), s.network()...); err != nil {
		return err
	}
	return s.install(s.folders.Ref, "loopback")
}

// DiscardGuard removes the programs. Where runtimes delete a pod as it was made,
// the last pod that was made with the guard must be gone.
func (s *Rig) DiscardGuard() error { return s.discard("cni-guard", "guardctl") }

// DiscardGuardctl takes the operator's command away, as one who forgot to copy it.
func (s *Rig) DiscardGuardctl() error { return s.discard("guardctl") }

// ReturnGuardctl puts it where it belongs.
func (s *Rig) ReturnGuardctl() error { return s.install(s.folders.Guard, "guardctl") }

// DiscardPlugin takes a reference plugin away, as an upgrade does for a moment.
func (s *Rig) DiscardPlugin(name string) error { return s.discard(name) }

// ReturnPlugin puts a reference plugin back.
func (s *Rig) ReturnPlugin(name string) error { return s.install(s.folders.Ref, name) }

// discard removes programs; those that are not there, as without the guard, are
// none to it.
func (s *Rig) discard(programs ...string) error {
	for _, program := range programs {
		if err := os.RemoveAll(filepath.Join(s.site.Bin, program)); err != nil {
			return fmt.Errorf("discard program: %w", err)
		}
	}
	return nil
}

// install copies programs into the plugin directory, each renamed into place: a
// runtime may be executing the old one.
func (s *Rig) install(from string, programs ...string) error {
	for _, program := range programs {
		data, err := os.ReadFile(filepath.Join(from, program))
		if err != nil {
			return fmt.Errorf("install program: %w", err)
		}
		file := filepath.Join(s.site.Bin, program)
		if err := os.WriteFile(file+".new", data, 0o755); err != nil {
			return fmt.Errorf("install program: %w", err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			return fmt.Errorf("install program: %w", err)
		}
	}
	return nil
}
