// SPDX-License-Identifier: Apache-2.0

package replay

import "testing"

// Something bound the node's own namespace over the pod's pin.
func TestPinLeadsToNode(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		s := newRig(t, with)
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
		if s.leases(s.pod) == "" {
			t.Error("the address is released; the chain should not have been reached")
		}
	})
	t.Run("guarded", func(t *testing.T) {
		s := lose(t, guarded)
		before := s.snapshot(s.Node.Path)
		s.wantReleased(s.remove())
		s.wantNote()
		s.wantSame(s.Node.Path, before)
	})
}
