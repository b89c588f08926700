// SPDX-License-Identifier: Apache-2.0

package replay

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// Without guardctl the guard cannot release. It must still keep the chain from
// the node, and have the runtime try again until guardctl is there.
func TestReleaseWithoutGuardctl(t *testing.T) {
	s := newRig(t, withoutGuardctl)
	install(t, s.Dir, "cni-guard")
	install(t, s.Dir, "loopback")
	p := s.hold()
	s.end(p)
	s.reuse(p.PID)
	before := s.snapshot(s.Node.Path)
	s.wantStuck(s.remove())
	s.wantSame(s.Node.Path, before)
	if s.leases(s.pod) == "" {
		t.Error("the address is released, by nobody")
	}
	install(t, s.Dir, "guardctl")
	s.wantReleased(s.remove())
	s.wantSame(s.Node.Path, before)
}

// withoutGuardctl has our programs but for guardctl.
func withoutGuardctl(r *rigtest.Rig, version string, plugins ...chain.Plugin) *chain.Runtime {
	return r.InstalledIn(filepath.Join(r.Dir, "bin"), version, append(plugins, chain.Guard(r.Dir))...)
}

// A failed ADD leaves no note in the runtime's cache. The conf dir then says what
// is to be released: the address, that is. portmap and firewall are not in this
// chain, as what they need to know was in the note.
func TestReleaseWithoutCacheEntry(t *testing.T) {
	r := rigtest.New(t)
	s := withChain(t, r, guarded, "1.0.0", chain.PTP(r.HostLocal()))
	p := s.hold()
	if err := os.RemoveAll(filepath.Join(s.Dir, "cache", "results")); err != nil {
		t.Fatal(err)
	}
	s.end(p)
	s.reuse(p.PID)
	before := s.snapshot(s.Node.Path)
	s.wantReleased(s.remove())
	s.wantSame(s.Node.Path, before)
}

// A plugin that fails to release keeps the removal going: an address must not be
// lost because the guard stopped the chain.
func TestReleaseFailsAtFirst(t *testing.T) {
	s := newRig(t, guarded)
	p := s.hold()
	s.end(p)
	s.reuse(p.PID)
	before := s.snapshot(s.Node.Path)
	mend := s.breakIPAM()
	s.wantStuck(s.remove())
	mend()
	s.wantReleased(s.remove())
	s.wantSame(s.Node.Path, before)
}

// install puts one of our programs into the directory bin of dir.
func install(t *testing.T, dir, program string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(rigtest.GuardDir(t), program))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", program), data, 0o755); err != nil {
		t.Fatal(err)
	}
}
