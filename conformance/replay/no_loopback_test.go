// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A runtime that brings lo up by itself (CRI-O, containerd with
// use_internal_loopback) spares the node's lo, and then the primary plugin
// deletes the node's eth0. It does where no plugin of the reference set comes
// before it: each of them, an IPAM plugin too, makes DEL fail by the check that
// skel has after the act since 1.2. So the chain here has one plugin, without
// IPAM, as networks of virtual machines have.
func TestProcessIDReusedByNodeInternalLoopback(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		r := rigtest.New(t)
		s := withChain(t, r, with, "1.0.0", chain.Bridge(nil))
		s.runtime.InternalLoopback()
		p := s.hold()
		s.end(p)
		s.reuse(p.PID)
		return s
	}
	t.Run("bare", func(t *testing.T) {
		s := lose(t, bare)
		if !s.look(s.Node.Path).HasEth0 {
			t.Fatal("the node has no eth0 from the start")
		}
		s.remove()
		if s.look(s.Node.Path).HasEth0 {
			t.Error("the node has its eth0; ptp should have deleted it")
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
