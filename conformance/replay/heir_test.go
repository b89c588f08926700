// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A lost pod is released; the next pod is given its address. The runtime repeats
// the DEL, and every GC does, as the attachment is still in its cache. firewall
// removes rules by address: released again, they would be those of the heir.
func TestRepeatedReleaseSparesHeir(t *testing.T) {
	r := rigtest.New(t)
	one := r.HostLocal().With("ranges", [][]map[string]string{{
		{"subnet": "10.88.0.0/24", "rangeStart": "10.88.0.5", "rangeEnd": "10.88.0.5"},
	}})
	s := withChain(t, r, guarded, "1.1.0", chain.PTP(one), chain.Firewall())
	if err := s.pin().PointAt(s.Node.Path); err != nil {
		t.Fatal(err)
	}
	s.lost()
	s.wantReleased(s.remove())

	heir, result := s.add("heir", s.holder().Path())
	if got := chain.Address(result); got != "10.88.0.5" {
		t.Fatalf("the heir has %s, not the address of the pod that was lost", got)
	}
	before := s.snapshot(s.Node.Path)
	for _, again := range []string{"DEL", "GC", "DEL after GC"} {
		if again == "GC" {
			t.Log("GC:", s.runtime.GC(t.Context(), heir))
		} else if removal := s.remove(); !removal.Complete() {
			t.Errorf("another %s of the lost pod is to be tried again: %v", again, removal.Err)
		}
		if err := s.runtime.Check(t.Context(), heir); err != nil {
			t.Errorf("after another %s of the lost pod, the heir: %v", again, err)
		}
	}
	s.wantSame(s.Node.Path, before)
}
