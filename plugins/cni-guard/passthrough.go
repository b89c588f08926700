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

// passThroughMode reports whether the pass-through marker exists, in which case nothing
// is checked. It sets the time of the marker: uninstall removes the program once it
// is no longer called.
func passThroughMode() bool {
	self, err := os.Executable()
	if err != nil || os.Getenv("CNI_COMMAND") == "" { // no runtime called
		return false
	}
	marker := filepath.Join(filepath.Dir(self), checks.PassThroughMarker)
	if unix.Access(marker, unix.F_OK) != nil {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(marker, now, now) // if that fails, uninstall counts from its own time
	return true
}

// verbs returns the function that answers each verb.
func (p *plugin) verbs() map[string]verb {
	if p.passes {
		return map[string]verb{
			"ADD": p.watched(p.passAdd), "DEL": p.watched(passDel), "CHECK": p.watched(pass),
			"STATUS": p.watched(pass), "GC": p.watched(pass),
		}
	}
	return map[string]verb{
		"ADD": p.watched(p.add), "DEL": p.watched(p.del), "CHECK": p.watched(p.check),
		"STATUS": p.watched(p.status), "GC": p.watched(p.gc),
	}
}

// pass answers CHECK, STATUS and GC in pass-through mode: success.
func pass(*cmdArgs) error { return nil }

// passAdd answers ADD in pass-through mode: it returns the result of the plugins before
// it. An invalid configuration is no reason to fail any more.
func (p *plugin) passAdd(args *cmdArgs) error {
	c, err := parseConfig(args.StdinData)
	if err != nil && err.Code == types.ErrDecodingFailure {
		return err // there is no result
	}
	p.returnPrevResult(c)
	return nil
}

// passDel answers DEL in pass-through mode. It retires the record of the sandbox: one
// from before the marker must not seem to be alive when the marker is gone.
func passDel(args *cmdArgs) error {
	if os.Getenv(release.Variable) != "" {
		return nil // guardctl releases this chain under another name
	}
	c, _ := parseConfig(args.StdinData)
	key := ledger.Key{Network: c.Network, ContainerID: args.ContainerID, IfName: args.IfName}
	if err := ledger.Ledger(c.StateDir).Retire(key); err != nil {
		journal{"DEL", c, args}.warn("cannot retire the record of the sandbox", err)
	}
	return nil
}
