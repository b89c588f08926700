// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// After a reboot the runtime passes an empty path. sbr fails on it with words
// that go-cni takes for "gone already": the removal completes, no plugin before
// sbr is called, and the address stays allocated for good.
func TestAwkwardPluginsPathGone(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		r := rigtest.New(t)
		s := withChain(t, r, with, "1.0.0", chain.PTP(r.HostLocal()), chain.SBR())
		if err := s.pin().Remove(); err != nil {
			t.Fatal(err)
		}
		s.lost()
		s.pod.Netns = ""
		return s
	}
	t.Run("bare", func(t *testing.T) {
		s := lose(t, bare)
		if r := s.remove(); !r.Complete() {
			t.Errorf("the removal is to be retried: %v", r.Err)
		}
		if s.leases(s.pod) == "" {
			t.Error("the address is released; ptp should not have been reached")
		}
	})
	t.Run("guarded", func(t *testing.T) {
		s := lose(t, guarded)
		before := s.snapshot(s.Node.Path)
		s.wantReleased(s.remove())
		s.wantSame(s.Node.Path, before)
	})
}
