// SPDX-License-Identifier: Apache-2.0

// Package rigtest gives a test a fresh node and a container runtime on it, with the
// reference plugins alone or with ours before them.
package rigtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
)

// A Rig is what a test works with. Its goroutine is on the node.
type Rig struct {
	Node *node.Node
	Dir  string // the test's own: caches, leases, records

	t testing.TB
}

// New puts the test on a fresh node, or skips it with the reason.
func New(t testing.TB) *Rig {
	t.Helper()
	Need(t, "sh", "sleep", "iptables", "iptables-save")
	n, err := node.New()
	if errors.Is(err, node.ErrNotPrivate) {
		Lack(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return &Rig{Node: n, Dir: t.TempDir(), t: t}
}

// Need skips the test where a program is not installed.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			Lack(t, err.Error())
		}
	}
}

// Lack skips the test, or fails it where REQUIRE_ALL=1 says that nothing may be
// lacking.
func Lack(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("REQUIRE_ALL") == "1" {
		t.Fatalf("REQUIRE_ALL=1, but %s", reason)
	}
	t.Skip(reason)
}

// RefDir is the directory of the reference plugins.
func RefDir(t testing.TB) string {
	t.Helper()
	return folder(t, "CNI_PLUGIN_BIN", "scripts/plugins.sh")
}

// GuardDir is the directory of our programs.
func GuardDir(t testing.TB) string {
	t.Helper()
	return folder(t, "CNI_GUARD_BIN", "scripts/build.sh")
}

// SelectBatch builds the program that selects network configurations as guardctl does,
// one request a line, and returns its path. See cmd/guardctl/internal/selectbatch.
func SelectBatch(t testing.TB) string {
	t.Helper()
	Need(t, "go")
	program := filepath.Join(t.TempDir(), "selectbatch")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/guardctl/internal/selectbatch")
	cmd.Dir = "../.." // tests run in the folder of their package, which is one of conformance
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build selectbatch: %v: %s", err, out)
	}
	return program
}

func folder(t testing.TB, variable, script string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if !filepath.IsAbs(dir) {
		Lack(t, variable+" must be the absolute path of the folder that "+script+" filled")
	}
	return dir
}

// Bare makes a runtime that has the reference plugins only.
func (r *Rig) Bare(version string, plugins ...chain.Plugin) *chain.Runtime {
	r.t.Helper()
	return r.runtime([]string{RefDir(r.t)}, version, plugins...)
}

// Guarded makes a runtime with our loopback in the place of the reference one,
// and the guard last in the chain.
func (r *Rig) Guarded(version string, plugins ...chain.Plugin) *chain.Runtime {
	r.t.Helper()
	return r.Installed(version, append(plugins, chain.Guard(r.Dir))...)
}

// Installed makes a runtime with our programs before the reference plugins.
func (r *Rig) Installed(version string, plugins ...chain.Plugin) *chain.Runtime {
	r.t.Helper()
	return r.InstalledIn(GuardDir(r.t), version, plugins...)
}

// InstalledIn is Installed with our programs in a directory of one's own.
func (r *Rig) InstalledIn(dir, version string, plugins ...chain.Plugin) *chain.Runtime {
	r.t.Helper()
	return r.runtime([]string{dir, RefDir(r.t)}, version, plugins...)
}

func (r *Rig) runtime(binDirs []string, version string, plugins ...chain.Plugin) *chain.Runtime {
	r.t.Helper()
	runtime, err := chain.NewRuntime(r.Dir, binDirs, r.t.Output(), version, plugins...)
	if err != nil {
		r.t.Fatal(err)
	}
	return runtime
}

// HostLocal allocates in the rig's own directory.
func (r *Rig) HostLocal() chain.Plugin { return chain.HostLocal(r.LeaseDir()) }

// LeaseDir is where HostLocal keeps its leases.
func (r *Rig) LeaseDir() string { return filepath.Join(r.Dir, "leases") }
