// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/ledger"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// passing reports whether the marker is there, and notes in its time that somebody
// still calls: the program is not removed before nobody does.
func passing() bool {
	self, err := os.Executable()
	if err != nil || os.Getenv("CNI_COMMAND") == "" { // nobody calls: somebody asks what this is
		return false
	}
	marker := filepath.Join(filepath.Dir(self), checks.PassThroughMarker)
	if unix.Access(marker, unix.F_OK) != nil {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(marker, now, now) // where it cannot be noted, uninstall counts from its own time
	return true
}

// verbs returns what answers each verb.
func (p *plugin) verbs() map[string]verb {
	if p.passes {
		return map[string]verb{
			"ADD": p.guarded(p.passAdd), "DEL": p.guarded(passDel), "CHECK": p.guarded(pass),
			"STATUS": p.guarded(pass), "GC": p.guarded(pass),
		}
	}
	return map[string]verb{
		"ADD": p.guarded(p.add), "DEL": p.guarded(p.del), "CHECK": p.guarded(p.check),
		"STATUS": p.guarded(p.status), "GC": p.guarded(p.gc),
	}
}

// pass judges nothing.
func pass(*cmdArgs) error { return nil }

// passAdd hands on the result of the plugins before it. A configuration that is not
// valid is no reason to fail any more.
func (p *plugin) passAdd(args *cmdArgs) error {
	c, err := parseConfig(args.StdinData)
	if err != nil && err.Code == types.ErrDecodingFailure {
		return err // there is no result to hand on
	}
	p.handOn(c)
	return nil
}

// passDel judges nothing, and retires the record of the sandbox: one that was
// recorded before the marker was there must not seem to be alive when the guard
// judges again.
func passDel(args *cmdArgs) error {
	if os.Getenv(release.Variable) != "" {
		return nil // guardctl releases this chain under another name
	}
	c, _ := parseConfig(args.StdinData)
	key := ledger.Key{Network: c.Network, ContainerID: args.ContainerID, IfName: args.IfName}
	if err := ledger.Ledger(c.StateDir).Retire(key); err != nil {
		journal{"DEL", c, args}.trouble("cannot retire the record of the sandbox", err)
	}
	return nil
}
