// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

// A folder of plugins that belongs to one release of k3s goes with it.
func TestFolderOfARelease(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	dir := n.path("data/" + strings.Repeat("0f", 32) + "/bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(n.path("bin/bridge"), dir+"/bridge"); err != nil {
		t.Fatal(err)
	}
	n.request.Site.BinDir, n.request.Site.Runtime.BinDirs = dir, []string{dir}
	n.request.Placement = installer.Own
	n.refuses(installer.Install, "after the next upgrade no pod would start")
	n.request.Placement = installer.Inline
	if said := n.show(n.must(installer.Install)); !strings.Contains(said, "run guardctl install again after each upgrade of k3s") || strings.Contains(said, "--placement own") {
		t.Errorf("it says %s", said)
	}
}

// A copy whose list is now of another network is made anew only where the operator says
// so.
func TestOtherNetwork(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	n.write("conf/10-a.conflist", strings.Replace(list, "pods", "others", 1), 0o600)
	n.refuses(installer.Install, `beside 10-a.conflist (network "others" of bridge): if one of those is of the network plugin that this node has now, run guardctl install --file`)
	n.request.File = "10-a.conflist"
	if n.must(installer.Install); !strings.Contains(n.read(ownFile), "others") {
		t.Errorf("the operator named it: %s", n.folder("conf"))
	}
}

// The mode of an entry that is there, and what it allows, follow the command.
func TestInstallChangesEntry(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", strings.Replace(list, "]", `,{"type":"cni-guard", "checks":{"forward":{"policy":"warn"}}}]`, 1), 0o600)
	n.request.Mode, n.request.Allow = "audit", []string{"20-*"}
	n.must(installer.Install)
	got := n.read("conf/10-a.conflist")
	for _, want := range []string{`"mode":"audit"`, `"allow":["20-*"]`, `"policy":"warn"`} {
		if !strings.Contains(got, want) || strings.Count(got, `"cni-guard"`) != 1 {
			t.Errorf("want %s in %s", want, got)
		}
	}
	if p := n.must(installer.Install); len(p.Steps) > 0 {
		t.Errorf("again: %s", n.show(p))
	}
	n.request.Mode, n.request.Allow = "enforce", []string{"20-*", "30-*"}
	n.must(installer.Install)
	if got := n.read("conf/10-a.conflist"); !strings.Contains(got, `"mode":"enforce"`) || !strings.Contains(got, `["20-*","30-*"]`) {
		t.Errorf("got %s", got)
	}
	n.request.Mode, n.request.Allow = "", nil
	if p := n.must(installer.Install); len(p.Steps) > 0 {
		t.Errorf("without words: %s", n.show(p))
	}
}

// A program that is right but for its mode is put into place again.
func TestNotExecutable(t *testing.T) {
	n := installed(t)
	if err := os.Chmod(n.path("bin/cni-guard"), 0o644); err != nil {
		t.Fatal(err)
	}
	n.must(installer.Install)
	if info, err := os.Stat(n.path("bin/cni-guard")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", info, err)
	}
}

// Upgrade writes down what there is then.
func TestUpgradeRecords(t *testing.T) {
	n := installed(t)
	n.write("new/cni-guard", answers+"# newer\n", 0o755)
	before := n.read("record/install.json")
	n.must(installer.Upgrade)
	r, err := installer.ReadRecord(n.path("record"))
	if err != nil || n.read("record/install.json") == before || len(r.Programs) != 2 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// Another file than the one on record gets the guard only where it is of the same
// network, or where the operator says so.
func TestRecordedFileIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		now     string
		refused string
		note    string
	}{
		"of the same network": {now: list, note: "the guard goes into 20-b.conflist, of the same network as 10-a.conflist"},
		"of another network":  {now: strings.Replace(list, "pods", "others", 1), refused: `pods get 20-b.conflist (network "others" of bridge), and by `},
	} {
		n := installed(t)
		n.remove("conf/10-a.conflist")
		n.write("conf/20-b.conflist", c.now, 0o600)
		if c.refused != "" {
			n.refuses(installer.Install, c.refused)
			n.refuses(installer.Install, "run guardctl install --file 20-b.conflist; if not, put the other file back")
			n.request.File = "20-b.conflist"
		}
		if said := n.show(n.must(installer.Install)); !strings.Contains(said, c.note) || !strings.Contains(n.read("conf/20-b.conflist"), "cni-guard") {
			t.Errorf("%s: %s", name, said)
		}
		n.request.File = ""
		if p := n.must(installer.Install); len(p.Steps) > 0 {
			t.Errorf("%s, again: %s", name, n.show(p))
		}
	}
}

// A sample that the operator named stays the intended file, until a network plugin
// writes its own.
func TestNamedSample(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-containerd-net.conflist", strings.Replace(list, "pods", "containerd-net", 1), 0o600)
	n.refuses(installer.Install, "10-containerd-net.conflist is a sample")
	n.request.File = "10-containerd-net.conflist"
	n.must(installer.Install)
	n.request.File = ""
	if p := n.must(installer.Install); len(p.Steps) > 0 {
		t.Errorf("again: %s", n.show(p))
	}
	n.must(installer.Uninstall)
	n.refuses(installer.Install, "10-containerd-net.conflist is a sample")
}
