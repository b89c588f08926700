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

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
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
	before, conf := n.folder("bin"), n.folder("conf")
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
		if n.folder("bin") != before || n.folder("conf") != conf {
			t.Errorf("%s: it changed something: %s", name, n.folder("bin"))
		}
	}
}

// Nor does the rest of a release of which one program does not.
func TestBrokenRelease(t *testing.T) {
	n := installed(t)
	before := n.folder("bin")
	n.write("new/guardctl", answers+"# newer\n", 0o755)
	n.write("new/cni-guard", "#!/bin/sh\nexit 1\n", 0o755)
	p, err := installer.Upgrade(n.request)
	if err == nil {
		err = p.Run(func(installer.Step) {})
	}
	if err == nil || n.folder("bin") != before {
		t.Errorf("got %v, %s", err, n.folder("bin"))
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
	conf := n.folder("conf")
	n.write("new/cni-guard", answers+"# newer\n", 0o755)
	n.must(installer.Upgrade)
	if n.read("bin/cni-guard") != n.read("new/cni-guard") || n.folder("conf") != conf {
		t.Errorf("upgraded: %s", n.folder("conf"))
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

// A folder that is a link is followed, as runtimes do.
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
	if _, err := installer.Uninstall(n.request); err == nil || !strings.Contains(err.Error(), "move it away") {
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
		t.Errorf("got %s", n.folder("conf"))
	}
	n.request.Placement = installer.Inline
	if _, err := installer.Install(n.request); err == nil || !strings.Contains(err.Error(), "run guardctl uninstall first") {
		t.Errorf("got %v", err)
	}
	if n.must(installer.Uninstall); n.has("conf/00-cni-guard.conflist") || n.read("conf/10-a.conflist") != changed {
		t.Errorf("got %s", n.folder("conf"))
	}
}
