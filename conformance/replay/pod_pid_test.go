// SPDX-License-Identifier: Apache-2.0

package replay

import "testing"

// The process ID goes to a process of another pod: the reference plugins take
// that pod's network away (kubernetes/kubernetes#100648, comments).
func TestProcessIDReusedByAnotherPod(t *testing.T) {
	lose := func(t *testing.T, with setting) (s *rig, neighbour string) {
		s = newRig(t, with)
		neighbour = s.neighbour()
		p := s.hold()
		s.end(p)
		s.reuseWithin(neighbour, p.PID)
		return s, neighbour
	}
	t.Run("bare", func(t *testing.T) {
		s, neighbour := lose(t, bare)
		s.remove()
		s.wantCutOff(neighbour)
	})
	t.Run("guarded", func(t *testing.T) {
		s, neighbour := lose(t, guarded)
		nodeBefore, podBefore := s.snapshot(s.Node.Path), s.snapshot(neighbour)
		s.wantReleased(s.remove())
		s.wantNote()
		s.wantSame(s.Node.Path, nodeBefore)
		s.wantSame(neighbour, podBefore)
	})
}
