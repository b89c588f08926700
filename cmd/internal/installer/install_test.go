// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// The new file has the mode of the old one, and its owner.
func TestModeAndOwner(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o604)
	owner := os.Geteuid()
	if owner == 0 {
		owner = 1
		if err := os.Chown(n.path("conf/10-a.conflist"), 1, 1); err != nil {
			checktest.Lacking(t, "the user namespace has one user: "+err.Error())
		}
	}
	for _, step := range []func(installer.Request) (installer.Plan, error){installer.Install, installer.Uninstall} {
		n.must(step)
		info, err := os.Stat(n.path("conf/10-a.conflist"))
		if err != nil || info.Mode().Perm() != 0o604 || int(info.Sys().(*syscall.Stat_t).Uid) != owner {
			t.Errorf("got %v, %v", info, err)
		}
	}
}

// A program that does not run never takes the place of one that does.
func TestBrokenProgram(t *testing.T) {
	n := installed(t)
	before, conf := n.listing("bin"), n.listing("conf")
	for name, content := range map[string]string{
		"fails": "#!/bin/sh\nexit 1\n", "answers nonsense": "#!/bin/sh\necho usage\n", "is none": "text",
	} {
		n.write("new/cni-guard", content, 0o755)
		p, err := installer.Upgrade(n.request)
		if err == nil {
			err = p.Run(func(installer.Step) {})
		}
		if err == nil || !strings.Contains(err.Error(), "cni-guard.cni-guard-new") {
			t.Errorf("%s: got %v", name, err)
		}
		if n.listing("bin") != before || n.listing("conf") != conf {
			t.Errorf("%s: it changed something: %s", name, n.listing("bin"))
		}
	}
}

// Nor does the rest of a release of which one program does not.
func TestBrokenRelease(t *testing.T) {
	n := installed(t)
	before := n.listing("bin")
	n.write("new/guardctl", answers+"# newer\n", 0o755)
	n.write("new/cni-guard", "#!/bin/sh\nexit 1\n", 0o755)
	p, err := installer.Upgrade(n.request)
	if err == nil {
		err = p.Run(func(installer.Step) {})
	}
	if err == nil || n.listing("bin") != before {
		t.Errorf("got %v, %s", err, n.listing("bin"))
	}
}

// Upgrade replaces programs, and never a configuration.
func TestUpgrade(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	if _, err := installer.Upgrade(n.request); err == nil || !strings.Contains(err.Error(), "run guardctl install") {
		t.Errorf("without an installation: %v", err)
	}
	n.must(installer.Install)
	conf := n.listing("conf")
	n.write("new/cni-guard", answers+"# newer\n", 0o755)
	n.must(installer.Upgrade)
	if n.read("bin/cni-guard") != n.read("new/cni-guard") || n.listing("conf") != conf {
		t.Errorf("upgraded: %s", n.listing("conf"))
	}
	if p := n.must(installer.Upgrade); len(p.Steps) > 0 {
		t.Errorf("a second time: %s", n.show(p))
	}
}

// A list of a megabyte is one like any other.
func TestLargeList(t *testing.T) {
	n := newNode(t)
	large := strings.Replace(list, `"bridge"`, `"bridge","comment":"`+strings.Repeat("x", 1<<20)+`"`, 1)
	n.write("conf/10-a.conflist", large, 0o600)
	n.must(installer.Install)
	n.must(installer.Uninstall)
	if n.read("conf/10-a.conflist") != large {
		t.Error("it is not as before")
	}
}

// A directory that is a link is followed, as runtimes do.
func TestLinkedFolder(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	if err := os.Symlink("conf", n.path("link")); err != nil {
		t.Fatal(err)
	}
	n.request.Site.ConfDir = n.path("link")
	n.must(installer.Install)
	var l struct {
		Plugins []struct{ Type, ConfDir string }
	}
	if err := json.Unmarshal([]byte(n.read("conf/10-a.conflist")), &l); err != nil || len(l.Plugins) != 2 || l.Plugins[1].ConfDir != n.path("link") {
		t.Errorf("got %+v, %v", l, err)
	}
}

// What cannot be read as a record is no reason to go on without one.
func TestRecord(t *testing.T) {
	n := installed(t)
	r, err := installer.ReadRecord(n.path("record"))
	if err != nil || string(r.Edit.Original) != list || r.Snapshot.Effective != "10-a.conflist" || string(r.Snapshot.Content) != n.read("conf/10-a.conflist") {
		t.Errorf("got %+v, %v", r, err)
	}
	n.write("record/install.json", "{", 0o600)
	if _, err := installer.Uninstall(n.request); err == nil || !strings.Contains(err.Error(), "rename it") {
		t.Errorf("got %v", err)
	}
	if _, err := installer.ReadRecord(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// The guard's own file follows the primary plugin's when it is installed again,
// and says when it may not change its place.
func TestOwnFollows(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	changed := strings.Replace(list, `"bridge"`, `"bridge","mtu":1400`, 1)
	n.write("conf/10-a.conflist", changed, 0o600)
	if n.must(installer.Install); !strings.Contains(n.read("conf/00-cni-guard.conflist"), "1400") {
		t.Errorf("got %s", n.listing("conf"))
	}
	n.request.Placement = installer.Inline
	if _, err := installer.Install(n.request); err == nil || !strings.Contains(err.Error(), "run guardctl uninstall first") {
		t.Errorf("got %v", err)
	}
	if n.must(installer.Uninstall); n.has("conf/00-cni-guard.conflist") || n.read("conf/10-a.conflist") != changed {
		t.Errorf("got %s", n.listing("conf"))
	}
}

// A plugin directory that belongs to one release of k3s goes with it.
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

// A copy whose list now configures another network is replaced only if the operator says
// so.
func TestOtherNetwork(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	n.write("conf/10-a.conflist", strings.Replace(list, "pods", "others", 1), 0o600)
	n.refuses(installer.Install, `beside 10-a.conflist (network "others" of bridge): if one of those belongs to the network plugin that this node has now, run guardctl install --file`)
	n.request.File = "10-a.conflist"
	if n.must(installer.Install); !strings.Contains(n.read(ownFile), "others") {
		t.Errorf("the operator named it: %s", n.listing("conf"))
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

// A network plugin that rewrites its file removes the entry. The next install, which may name
// no options, puts back the one on record, or the one that the caller last saw; after
// uninstall there is none.
func TestInstallRestoresEntry(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	n.request.Mode, n.request.Allow = "audit", []string{"20-*"}
	n.must(installer.Install)
	installed := n.read("conf/10-a.conflist")
	rewritten := strings.Replace(list, `"bridge"`, `"bridge","mtu":1400`, 1)
	n.request.Mode, n.request.Allow = "", nil

	n.write("conf/10-a.conflist", rewritten, 0o600)
	n.must(installer.Install)
	if got, want := n.read("conf/10-a.conflist"), strings.Replace(installed, `"bridge"`, `"bridge","mtu":1400`, 1); got != want {
		t.Errorf("rewritten and installed again:\n%s\nwant\n%s", got, want)
	}

	n.write("conf/10-a.conflist", rewritten, 0o600)
	n.request.LastEntry = []byte(`{"type":"cni-guard","mode":"audit","timeout":"2s"}`)
	n.must(installer.Install)
	if got := n.read("conf/10-a.conflist"); !strings.Contains(got, `"timeout":"2s"`) || strings.Contains(got, "20-*") {
		t.Errorf("the entry that was last seen is not there: %s", got)
	}

	n.request.LastEntry = nil
	n.must(installer.Uninstall)
	n.must(installer.Install)
	if got := n.read("conf/10-a.conflist"); strings.Contains(got, "audit") {
		t.Errorf("installed after uninstall: %s", got)
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
		"of the same network": {now: list, note: "the guard goes into 20-b.conflist, which has the same network as 10-a.conflist"},
		"of another network":  {now: strings.Replace(list, "pods", "others", 1), refused: `pods get 20-b.conflist (network "others" of bridge), and by `},
	} {
		n := installed(t)
		n.remove("conf/10-a.conflist")
		n.write("conf/20-b.conflist", c.now, 0o600)
		if c.refused != "" {
			n.refuses(installer.Install, c.refused)
			n.refuses(installer.Install, "run guardctl install --file 20-b.conflist; otherwise put the other file back")
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
