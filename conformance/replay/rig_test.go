// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A rig is a fresh node with a runtime and one pod, the subject.
type rig struct {
	*rigtest.Rig
	*testing.T

	runtime *chain.Runtime
	pod     chain.Pod
	result  *types100.Result
}

// A setting makes the runtime of a rig.
type setting func(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime

// bare is the setting without the guard: reference plugins only.
func bare(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	return r.Bare(version, plugins...)
}

// guarded is the setting with it.
func guarded(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	return r.Guarded(version, plugins...)
}

// newRig sets the rig with a usual chain.
func newRig(t *testing.T, with setting) *rig {
	t.Helper()
	r := rigtest.New(t)
	return withChain(t, r, with, "1.0.0", usual(r)...)
}

// usual is the chain that most clusters have, but for its primary plugin.
func usual(r *rigtest.Rig) []chain.Plugin {
	return []chain.Plugin{chain.PTP(r.HostLocal()), chain.Portmap(), chain.Firewall()}
}

// usualWithGuard is the usual chain as the setting guarded makes it.
func (s *rig) usualWithGuard() []chain.Plugin {
	return append(usual(s.Rig), chain.Guard(s.Dir))
}

// withChain sets the rig with a chain of one's own.
func withChain(t *testing.T, r *rigtest.Rig, with setting, version string, plugins ...chain.Plugin) *rig {
	t.Helper()
	s := &rig{Rig: r, T: t, runtime: with(r, version, plugins...)}
	bundled(t, r)
	return s
}

// add attaches a pod whose sandbox is at the path.
func (s *rig) add(id, netns string) (chain.Pod, *types100.Result) {
	s.Helper()
	p := chain.Pod{ID: id, Netns: netns, Port: 8000 + len(id)}
	result, err := s.runtime.Add(s.Context(), p)
	if err != nil {
		s.Fatal(err)
	}
	return p, result
}

func (s *rig) look(path string) node.Facts {
	s.Helper()
	f, err := node.Look(path)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

func (s *rig) snapshot(path string) string {
	s.Helper()
	text, err := node.Snapshot(path)
	if err != nil {
		s.Fatal(err)
	}
	return text
}

func (s *rig) leases(p chain.Pod) string {
	s.Helper()
	held, err := chain.Leases(s.LeaseDir(), p)
	if err != nil {
		s.Fatal(err)
	}
	return strings.Join(held, " ")
}
