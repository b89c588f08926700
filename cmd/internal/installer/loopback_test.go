// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// builtLoopback returns our loopback plugin, which is built once.
var builtLoopback = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "loopback")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/loopback", "github.com/cni-guard/cni-guard/plugins/loopback")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if _, err := cmd.Output(); err != nil {
		return nil, err
	}
	return os.ReadFile(dir + "/loopback")
})

// others is a loopback plugin of another project.
const others = answers + "# the reference plugin\n"

// withLoopback makes a node with another project's loopback plugin, and a release that
// has ours.
func withLoopback(t *testing.T) (n *node, ours string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		checktest.Lacking(t, "no go command to build the loopback plugin with")
	}
	built, err := builtLoopback()
	if err != nil {
		t.Fatal(err)
	}
	n = newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	n.write("bin/loopback", others, 0o755)
	n.write("new/loopback", string(built), 0o755)
	return n, string(built)
}

// Another project's loopback plugin is never taken for ours.
func TestLoopbackOfAnotherProject(t *testing.T) {
	for name, content := range map[string]string{"the reference plugin": others, "missing": ""} {
		n := newNode(t)
		n.write("conf/10-a.conflist", list, 0o600)
		n.write("bin/loopback", others, 0o755)
		n.write("new/loopback", content, 0o755)
		if content == "" {
			n.remove("new/loopback")
		}
		n.request.Loopback = true
		before := n.listing("bin")
		n.refuses(installer.Install, "name the directory of cni-guard's loopback plugin with --from; nothing was changed")
		if n.listing("bin") != before {
			t.Errorf("%s: %s", name, n.listing("bin"))
		}
		n.request.Loopback = false
		if n.must(installer.Install); n.has("bin/cni-guard-loopback") {
			t.Errorf("%s: it is kept as ours", name)
		}
	}
}

// The installed guardctl has our loopback plugin at hand when the release is gone.
func TestLoopbackFromTheFolderOfPlugins(t *testing.T) {
	n, ours := withLoopback(t)
	n.must(installer.Install)
	if n.read("bin/cni-guard-loopback") != ours || n.read("bin/loopback") != others {
		t.Fatalf("installed without --loopback: %s", n.listing("bin"))
	}
	n.request.From, n.request.Loopback = n.path("bin"), true
	n.must(installer.Install)
	if n.read("bin/loopback") != ours || n.read("bin/loopback.orig") != others {
		t.Error("ours is not in place, or the other one is not kept")
	}
	if p := n.must(installer.Install); len(p.Steps) > 0 {
		t.Errorf("again: %s", n.show(p))
	}
	n.request.Loopback = false
	if p := n.must(installer.Upgrade); len(p.Steps) > 0 {
		t.Errorf("upgrade from itself: %s", n.show(p))
	}
	n.must(installer.Uninstall)
	if n.read("bin/loopback") != others || n.has("bin/loopback.orig") {
		t.Error("the other one is not back")
	}
	n.old()
	if n.must(installer.Uninstall); n.has("bin/cni-guard-loopback") {
		t.Error("ours is still there")
	}
}

// An upgrade never puts another project's plugin in the place of ours.
func TestUpgradeKeepsLoopback(t *testing.T) {
	n, ours := withLoopback(t)
	n.request.Loopback = true
	n.must(installer.Install)
	n.write("new/loopback", others, 0o755)
	n.write("new/cni-guard", answers+"# newer\n", 0o755)
	p := n.must(installer.Upgrade)
	if n.read("bin/loopback") != ours || !strings.Contains(n.show(p), "note: NODE/bin/loopback is not upgraded") {
		t.Errorf("upgraded: %s", n.show(p))
	}
	n.write("new/cni-guard-loopback", ours+"newer", 0o755)
	if n.must(installer.Upgrade); n.read("bin/loopback") != ours+"newer" || n.read("bin/cni-guard-loopback") != ours+"newer" {
		t.Error("it is not replaced by the newer one")
	}
}

// A configuration that names the guard gets its plugin back.
func TestUpgradePutsThePluginBack(t *testing.T) {
	n := installed(t)
	n.remove("bin/cni-guard")
	if n.must(installer.Upgrade); !n.has("bin/cni-guard") {
		t.Error("the plugin is missing")
	}
	n.must(installer.Uninstall)
	n.remove("bin/cni-guard")
	n.refuses(installer.Upgrade, "run guardctl install")
}
