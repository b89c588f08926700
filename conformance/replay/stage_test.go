// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"
	"testing"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

// A stage is a fresh node with a runtime and one pod, the subject.
type stage struct {
	*rig.Rig
	*testing.T

	runtime *chain.Runtime
	pod     chain.Pod
	result  *types100.Result
}

// A setting makes the runtime of a stage.
type setting func(r *rig.Rig, version string, plugins ...chain.Plugin) *chain.Runtime

// bare is the setting without the guard: reference plugins only.
func bare(r *rig.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	return r.Bare(version, plugins...)
}

// guarded is the setting with it.
func guarded(r *rig.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	return r.Guarded(version, plugins...)
}

// newStage sets the stage with a usual chain.
func newStage(t *testing.T, with setting) *stage {
	t.Helper()
	r := rig.New(t)
	return withChain(t, r, with, "1.0.0", usual(r)...)
}

// usual is the chain that most clusters have, but for its primary plugin.
func usual(r *rig.Rig) []chain.Plugin {
	return []chain.Plugin{chain.PTP(r.HostLocal()), chain.Portmap(), chain.Firewall()}
}

// usualWithGuard is the usual chain as the setting guarded makes it.
func (s *stage) usualWithGuard() []chain.Plugin {
	return append(usual(s.Rig), chain.Guard(s.Dir))
}

// withChain sets the stage with a chain of one's own.
func withChain(t *testing.T, r *rig.Rig, with setting, version string, plugins ...chain.Plugin) *stage {
	t.Helper()
	return &stage{Rig: r, T: t, runtime: with(r, version, plugins...)}
}

// add attaches a pod whose sandbox is at the path.
func (s *stage) add(id, netns string) (chain.Pod, *types100.Result) {
	s.Helper()
	p := chain.Pod{ID: id, Netns: netns, Port: 8000 + len(id)}
	result, err := s.runtime.Add(s.Context(), p)
	if err != nil {
		s.Fatal(err)
	}
	return p, result
}

func (s *stage) look(path string) node.Facts {
	s.Helper()
	f, err := node.Look(path)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

func (s *stage) snapshot(path string) string {
	s.Helper()
	text, err := node.Snapshot(path)
	if err != nil {
		s.Fatal(err)
	}
	return text
}

func (s *stage) leases(p chain.Pod) string {
	s.Helper()
	held, err := chain.Leases(s.LeaseDir(), p)
	if err != nil {
		s.Fatal(err)
	}
	return strings.Join(held, " ")
}
