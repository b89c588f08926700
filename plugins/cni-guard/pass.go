// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"golang.org/x/sys/unix"
)

// passMarker is the file beside the program that makes it let everything through:
// guardctl uninstall writes it (cmd/guardctl/internal/installer).
const passMarker = "cni-guard.pass-through"

// passing reports whether the marker is there, and notes in its time that somebody
// still calls: the program is not removed before nobody does.
func passing() bool {
	self, err := os.Executable()
	if err != nil || os.Getenv("CNI_COMMAND") == "" { // nobody calls: somebody asks what this is
		return false
	}
	marker := filepath.Join(filepath.Dir(self), passMarker)
	if unix.Access(marker, unix.F_OK) != nil {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(marker, now, now) // where it cannot be noted, uninstall counts from its own time
	return true
}

// verbs gives what answers each verb.
func (p *plugin) verbs() skel.CNIFuncs {
	if p.passes {
		return skel.CNIFuncs{
			Add: p.guarded(p.passAdd), Del: p.guarded(pass), Check: p.guarded(pass),
			Status: p.guarded(pass), GC: p.guarded(pass),
		}
	}
	return skel.CNIFuncs{
		Add: p.guarded(p.add), Del: p.guarded(p.del), Check: p.guarded(p.check),
		Status: p.guarded(p.status), GC: p.guarded(p.gc),
	}
}

// pass judges nothing.
func pass(*skel.CmdArgs) error { return nil }

// passAdd hands on the result of the plugins before it. Keys that are not known
// are no reason to fail any more.
func (p *plugin) passAdd(args *skel.CmdArgs) error {
	c, _ := parseConfig(args.StdinData) // skel has parsed it, so that what we need can be read
	if p.answer = append(bytes.Clone(c.PrevResult), '\n'); c.PrevResult == nil {
		p.answer = emptyResult(c.CNIVersion)
	}
	return nil
}
