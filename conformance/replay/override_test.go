// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// With CNI_NETNS_OVERRIDE the caller says that it means the namespace that it
// names, though it is its own. The guard must not stand in its way.
func TestOverride(t *testing.T) {
	lose := func(t *testing.T) *rig {
		r := rigtest.New(t)
		s := withChain(t, r, guarded, "1.0.0", chain.Bridge(nil))
		if err := s.pin().PointAt(s.Node.Path); err != nil {
			t.Fatal(err)
		}
		s.lost()
		return s
	}
	for _, value := range []string{"", "TRUE", "1"} {
		t.Run("DEL/"+value, func(t *testing.T) {
			s := lose(t)
			t.Setenv("CNI_NETNS_OVERRIDE", value)
			s.remove()
			if deleted, asked := !s.look(s.Node.Path).HasEth0, value != ""; deleted != asked {
				t.Errorf("eth0 deleted: %t; want %t", deleted, asked)
			}
		})
		t.Run("ADD/"+value, func(t *testing.T) {
			r := rigtest.New(t)
			s := withChain(t, r, guarded, "1.0.0")
			t.Setenv("CNI_NETNS_OVERRIDE", value)
			_, err := s.runtime.Add(t.Context(), chain.Pod{ID: "subject", Netns: s.Node.Path})
			if done, asked := err == nil, value != ""; done != asked {
				t.Errorf("ADD to the node's own namespace: %v; want success: %t", err, asked)
			}
		})
	}
}
