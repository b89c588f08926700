// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// At its start CRI-O collects attachments that it does not know, with the path
// that libcni's cache has, wherever it leads by now.
func TestGCWithStalePath(t *testing.T) {
	lose := func(t *testing.T, with setting, primary func(chain.Plugin) chain.Plugin, ipam bool) *rig {
		r := rigtest.New(t)
		var allocate chain.Plugin
		if ipam {
			allocate = r.HostLocal()
		}
		s := withChain(t, r, with, "1.1.0", primary(allocate))
		if err := s.pin().PointAt(s.Node.Path); err != nil {
			t.Fatal(err)
		}
		s.lost()
		return s
	}
	t.Run("bare", func(t *testing.T) {
		s := lose(t, bare, chain.Bridge, false)
		t.Log("GC:", s.runtime.GC(t.Context()))
		if s.look(s.Node.Path).HasEth0 {
			t.Error("the node has its eth0; the bridge plugin should have deleted it")
		}
	})
	t.Run("guarded", func(t *testing.T) {
		s := lose(t, guarded, chain.Bridge, false)
		before := s.snapshot(s.Node.Path)
		t.Log("GC:", s.runtime.GC(t.Context()))
		s.wantSame(s.Node.Path, before)
	})
	t.Run("guarded, with leases", func(t *testing.T) {
		s := lose(t, guarded, chain.PTP, true)
		before := s.snapshot(s.Node.Path)
		t.Log("GC:", s.runtime.GC(t.Context()))
		s.wantSame(s.Node.Path, before)
		if held := s.leases(s.pod); held != "" {
			t.Errorf("still leased: %s", held)
		}
		for _, record := range s.records() {
			if strings.Contains(record, "/live/") {
				t.Errorf("the collected pod is still on record: %s", record)
			}
		}
	})
}
