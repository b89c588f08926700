// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"os"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// The guard let a DEL pass, the primary plugin failed it, and when the runtime
// repeats it the path leads to another pod. In this version of the spec the
// runtime returns no result on DEL: only the record tells the two apart.
func TestRepeatedDEL(t *testing.T) {
	lose := func(t *testing.T, with setting) (s *rig, neighbour string) {
		r := rigtest.New(t)
		s = withChain(t, r, with, "0.3.1", chain.PTP(r.HostLocal()), chain.Portmap())
		neighbour = s.neighbour()
		pin := s.pin()
		mend := s.breakIPAM()
		if first := s.remove(); first.Complete() {
			t.Fatal("the first removal completed; it should have failed on the leases")
		}
		mend()
		if err := pin.PointAt(neighbour); err != nil {
			t.Fatal(err)
		}
		s.lost()
		return s, neighbour
	}
	t.Run("bare", func(t *testing.T) {
		s, neighbour := lose(t, bareInternalLoopback)
		s.remove()
		s.wantCutOff(neighbour)
	})
	t.Run("guarded", func(t *testing.T) {
		s, neighbour := lose(t, guarded)
		before := s.snapshot(neighbour)
		s.wantReleased(s.remove())
		s.wantSame(neighbour, before)
	})
}

// bareInternalLoopback spares lo, so that the harm is the chain's.
func bareInternalLoopback(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	runtime := r.Bare(version, plugins...)
	runtime.InternalLoopback()
	return runtime
}

// breakIPAM puts a file in the place of the leases, so that host-local fails,
// and returns a function that undoes it.
func (s *rig) breakIPAM() (mend func()) {
	s.Helper()
	aside := s.LeaseDir() + ".aside"
	if err := os.Rename(s.LeaseDir(), aside); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(s.LeaseDir(), nil, 0o600); err != nil {
		s.Fatal(err)
	}
	return func() {
		s.Helper()
		if err := os.Remove(s.LeaseDir()); err != nil {
			s.Fatal(err)
		}
		if err := os.Rename(aside, s.LeaseDir()); err != nil {
			s.Fatal(err)
		}
	}
}
