// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A release that was marked is not repeated, though the boot cannot be told: the
// address is another pod's by now.
func TestReleasedWithoutBootID(t *testing.T) {
	dir := t.TempDir()
	key := ledger.Key{Network: "net", ContainerID: "c1", IfName: "eth0"}
	r := ledger.Record{Key: key, BootID: "b1", Cookie: 7, Netns: "/run/netns/x", MAC: "02:00:00:00:00:01"}
	if err := ledger.Ledger(dir).PutReleased(r); err != nil {
		t.Fatal(err)
	}
	for name, bootID := range map[string]func() (string, error){
		"known":      func() (string, error) { return "b1", nil },
		"unreadable": func() (string, error) { return "", errors.New("no procfs") },
	} {
		k := &call{
			key: key, ledger: ledger.Ledger(dir), bootID: bootID,
			log:    journal{"DEL", config{Entry: checks.Entry{StateDir: dir}}, new(cmdArgs)},
			target: &checks.Target{Netns: &netstate.Netns{Path: r.Netns}},
		}
		k.recall()
		if !k.released() || k.target.Want.MAC != r.MAC {
			t.Errorf("boot ID %s: released %v, MAC %q", name, k.released(), k.target.Want.MAC)
		}
		if known := name == "known"; known != (k.target.Recorded == r.Cookie) {
			t.Errorf("boot ID %s: the cookie is %d", name, k.target.Recorded)
		}
	}
}
