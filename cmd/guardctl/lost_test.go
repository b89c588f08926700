// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/chain"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A sandbox that is still there is released by force only; one that is gone, or
// whose path leads elsewhere, is what release is for.
func TestMustBeLost(t *testing.T) {
	path := checktest.Sandbox(t, "pod")
	cookie, err := netstate.OpenNetns(path).Cookie()
	if err != nil {
		t.Fatal(err)
	}
	boot, err := netstate.BootID()
	if err != nil {
		t.Fatal(err)
	}
	there := ledger.Record{BootID: boot, Cookie: cookie, Netns: path}
	for name, c := range map[string]struct {
		change  func(*ledger.Record)
		refused bool
	}{
		"still there":    {func(*ledger.Record) {}, true},
		"path gone":      {func(r *ledger.Record) { r.Netns = "/run/netns/gone" }, false},
		"path reused":    {func(r *ledger.Record) { r.Cookie++ }, false},
		"other boot":     {func(r *ledger.Record) { r.BootID = "other" }, false},
		"the node's now": {func(r *ledger.Record) { r.Netns = "/proc/self/ns/net" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, r := t.TempDir(), there
			r.Key = ledger.Key{Network: "net", ContainerID: "c0ffee", IfName: "eth0"}
			c.change(&r)
			if err := ledger.Ledger(dir).Put(&r); err != nil {
				t.Fatal(err)
			}
			a := chain.Attachment{Network: "net", ContainerID: "c0ffee", IfName: "eth0"}
			if err := mustBeLost(a, dir); (err != nil) != c.refused {
				t.Errorf("mustBeLost = %v, want refused: %t", err, c.refused)
			}
			if err := mustBeLost(a, t.TempDir()); err != nil {
				t.Errorf("refused without a record: %v", err)
			}
		})
	}
}
