// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A bug in the release must not hand the node's namespace to the other plugins.
func TestPanicInReleaseStopsChain(t *testing.T) {
	quiet(t)
	w := newWorld(t.TempDir(), history{cookies: true})
	if err := w.add(shapeUsual, false); err != nil {
		t.Fatal(err)
	}
	c := w.containers[0]
	c.end()
	c.leads = &space{node: true, alive: true}
	k, args := w.call("DEL", c)
	k.startRelease = func(context.Context, release.Request, io.Writer) release.Outcome { panic("bug") }
	var answer *types.Error
	if err := k.del(args); !errors.As(err, &answer) || answer.Code != types.ErrInvalidNetNS {
		t.Fatalf("the DEL is answered with %v", err)
	}
	if strings.Contains(answer.Msg+answer.Details, "not found") {
		t.Errorf("the answer completes the removal: %v", answer)
	}
}

// A release that was marked is not repeated, though the boot ID cannot be read: the
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
		k.loadRecord()
		if !k.released() || k.target.Want.MAC != r.MAC {
			t.Errorf("boot ID %s: released %v, MAC %q", name, k.released(), k.target.Want.MAC)
		}
		if known := name == "known"; known != (k.target.Recorded == r.Cookie) {
			t.Errorf("boot ID %s: the cookie is %d", name, k.target.Recorded)
		}
	}
}
