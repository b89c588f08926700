// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// Two plugins do not bear an empty CNI_NETNS, with which the guard releases a
// lost sandbox: sbr fails, and host-device leaves its address allocated.
func TestAwkwardPlugins(t *testing.T) {
	lose := func(t *testing.T, with setting) *rig {
		r := rigtest.New(t)
		addSpare(t)
		s := withChain(t, r, with, "1.0.0", chain.HostDevice("spare", r.HostLocal()), chain.SBR())
		s.runtime.InternalLoopback()
		addSourceRule(t)
		p := s.hold()
		if err := p.End(); err != nil {
			t.Fatal(err)
		}
		if err := s.Node.AwaitGone("spare-port"); err != nil {
			t.Fatal(err)
		}
		s.reuse(p.PID)
		return s
	}
	t.Run("bare", func(t *testing.T) {
		s := lose(t, bare)
		before := s.snapshot(s.Node.Path)
		s.wantStuck(s.remove())
		if s.snapshot(s.Node.Path) == before {
			t.Error("the node's routing rule is there; sbr should have deleted it")
		}
		if s.leases(s.pod) == "" {
			t.Error("the address is released; host-device should not have been reached")
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

// addSpare returns the node a device that a pod may have. It ends with the pod's
// sandbox, and its other end on the node with it.
func addSpare(t *testing.T) {
	t.Helper()
	spare := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: "spare-port"}
	spare.Name = "spare"
	if err := netlink.LinkAdd(spare); err != nil {
		t.Fatal(err)
	}
}

// addSourceRule returns the node a routing rule for the address of its eth0, such
// as nodes with several uplinks have.
func addSourceRule(t *testing.T) {
	t.Helper()
	rule := netlink.NewRule()
	rule.Table, rule.Priority = 100, 500
	from, err := netlink.ParseIPNet("192.0.2.10/32")
	if err != nil {
		t.Fatal(err)
	}
	rule.Src = from
	if err := netlink.RuleAdd(rule); err != nil {
		t.Fatal(err)
	}
}
