// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A pod may be older than the guard, or its record lost. Without the guard it is
// lost as any other: TestProcessIDReusedByNode and TestProcessIDReusedByAnotherPod
// show the harm.
func TestPodOlderThanGuard(t *testing.T) {
	for _, c := range []struct {
		name string
		age  func(s *rig) // makes the subject such a pod
		with setting
	}{
		{"no record", (*rig).forgetRecord, guarded},
		{"guard added later", (*rig).addGuard, guardless},
	} {
		t.Run(c.name+"/node", func(t *testing.T) {
			s := newRig(t, c.with)
			p := s.hold()
			c.age(s)
			s.end(p)
			s.reuse(p.PID)
			before := s.snapshot(s.Node.Path)
			s.wantReleased(s.remove())
			s.wantSame(s.Node.Path, before)
		})
		t.Run(c.name+"/another pod", func(t *testing.T) {
			s := newRig(t, c.with)
			neighbour := s.neighbour()
			p := s.hold()
			c.age(s)
			s.end(p)
			s.reuseWithin(neighbour, p.PID)
			before := s.snapshot(neighbour)
			s.wantReleased(s.remove())
			s.wantSame(neighbour, before)
		})
		t.Run(c.name+"/its own", func(t *testing.T) {
			s := newRig(t, c.with)
			s.hold()
			c.age(s)
			s.wantReleased(s.remove())
		})
	}
}

// Nothing at all is known of the pod: no record, and in this version of the spec
// no result on DEL. The node is still recognised.
func TestUnknownPod(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		r := rigtest.New(t)
		s := withChain(t, r, with, "0.3.1", chain.PTP(r.HostLocal()), chain.Portmap())
		if err := s.pin().PointAt(s.Node.Path); err != nil {
			t.Fatal(err)
		}
		s.lost()
		return s
	}
	t.Run("bare", func(t *testing.T) {
		s := lose(t, bare)
		s.wantStuck(s.remove())
		if s.look(s.Node.Path).LoUp {
			t.Error("the node's lo is up; the reference loopback should have taken it down")
		}
	})
	t.Run("guarded", func(t *testing.T) {
		s := lose(t, guarded)
		s.forgetRecord()
		before := s.snapshot(s.Node.Path)
		s.wantReleased(s.remove())
		s.wantSame(s.Node.Path, before)
	})
}

// guardless has our programs installed and no guard in the chain yet.
func guardless(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	return r.Installed(version, plugins...)
}

// addGuard puts the guard into the conflist of a running node.
func (s *rig) addGuard() {
	s.Helper()
	if err := s.runtime.Configure("1.0.0", s.usualWithGuard()...); err != nil {
		s.Fatal(err)
	}
}
