// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// Cookies start again with every boot, so a record of another boot must say
// nothing: it would have healthy pods refused. In this version of the spec the
// runtime returns no result on DEL, and the record is all there is to go by.
func TestRecordOfAnotherBoot(t *testing.T) {
	misleading := map[string]any{"cookie": 1, "mac": "02:00:00:00:00:01"}
	mislead := func(t *testing.T) *rig {
		r := rigtest.New(t)
		s := withChain(t, r, guarded, "0.3.1", chain.PTP(r.HostLocal()), chain.Portmap())
		s.hold()
		s.editRecord(misleading)
		return s
	}
	t.Run("this boot", func(t *testing.T) {
		s := mislead(t)
		if r := s.remove(); r.Complete() && len(r.Said) == 0 {
			t.Error("the record is of this boot and says that the sandbox is another's; DEL should have been answered so")
		}
	})
	t.Run("another boot", func(t *testing.T) {
		s := mislead(t)
		s.editRecord(map[string]any{"bootID": "11111111-2222-3333-4444-555555555555"})
		r := s.remove()
		if len(r.Said) != 0 {
			t.Errorf("a record of another boot was taken for evidence: %v", r.Said)
		}
		s.wantReleased(r)
	})
}

// After a reboot the result that the runtime kept still tells the pods apart.
func TestProcessIDReusedAfterReboot(t *testing.T) {
	s := newRig(t, guarded)
	neighbour := s.neighbour()
	p := s.hold()
	s.editRecord(map[string]any{"bootID": "11111111-2222-3333-4444-555555555555"})
	s.end(p)
	s.reuseWithin(neighbour, p.PID)
	before := s.snapshot(neighbour)
	s.wantReleased(s.remove())
	s.wantSame(neighbour, before)
}
