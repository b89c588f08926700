// SPDX-License-Identifier: Apache-2.0

package replay

import "testing"

// The pin was unmounted and left an empty file. Nobody else is harmed by it, but
// the reference loopback fails on the file before the chain is reached, and so
// the address stays allocated.
func TestPinUnmounted(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		s := newRig(t, with)
		if err := s.pin().Unmount(); err != nil {
			t.Fatal(err)
		}
		s.lost()
		return s
	}
	t.Run("bare", func(t *testing.T) {
		s := lose(t, bare)
		s.wantStuck(s.remove())
		if s.leases(s.pod) == "" {
			t.Error("the address is released; the chain should not have been reached")
		}
	})
	// The guard takes the sandbox for gone, and the primary plugin, which releases
	// the address, still dislikes the file. containerd sees that the file is no
	// namespace and passes no path when it tries again.
	t.Run("guarded", func(t *testing.T) {
		s := lose(t, guarded)
		before := s.snapshot(s.Node.Path)
		s.remove()
		s.pod.Netns = ""
		s.wantReleased(s.remove())
		s.wantSame(s.Node.Path, before)
	})
}
