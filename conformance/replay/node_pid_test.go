// SPDX-License-Identifier: Apache-2.0

package replay

import "testing"

// Incident 003: the sandbox's process is gone, and a process of the node has its
// ID when DEL comes (cri-o/cri-o#2849).
func TestProcessIDReusedByNode(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		s := newRig(t, with)
		p := s.hold()
		s.end(p)
		s.reuse(p.PID)
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
