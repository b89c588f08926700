// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

// twoFolders makes a node that is installed for two conf dirs, with a record each.
func twoFolders(t *testing.T) (first, second *node) {
	t.Helper()
	first = installed(t)
	copied := *first
	second = &copied
	second.mkdir("conf2")
	second.mkdir("record2")
	second.write("conf2/20-b.conflist", strings.Replace(list, "pods", "others", 1), 0o600)
	second.request.Site.ConfDir = second.path("conf2")
	_, err := installer.Install(second.request)
	if err == nil || !strings.Contains(err.Error(), "say another --record-dir") {
		t.Errorf("one record for two folders: %v", err)
	}
	second.request.RecordDir = second.path("record2")
	second.must(installer.Install)
	first.request.Elsewhere = []string{"/nowhere", first.path("conf2"), first.path("conf")}
	second.request.Elsewhere = []string{first.path("conf")}
	return first, second
}

func (n *node) mkdir(name string) {
	n.t.Helper()
	if err := os.Mkdir(n.path(name), 0o700); err != nil {
		n.t.Fatal(err)
	}
}

// The programs serve all conf dirs: they stay, and guard, until the last one is
// done with them.
func TestOtherConfDir(t *testing.T) {
	first, second := twoFolders(t)
	for range 2 {
		p := first.must(installer.Uninstall)
		if first.read("conf/10-a.conflist") != list || first.has("bin/"+installer.Marker) || !first.has("bin/cni-guard") {
			t.Errorf("the first is done: %s", first.folder("bin"))
		}
		if said := first.show(p); !strings.Contains(said, "named in another conf dir, by NODE/conf2/20-b.conflist (guardctl uninstall --runtime containerd --conf-dir NODE/conf2 --bin-dir NODE/bin)") {
			t.Errorf("it says %s", said)
		}
	}
	second.must(installer.Uninstall)
	second.old()
	if second.must(installer.Uninstall); second.has("bin/cni-guard") {
		t.Error("the plugin is still there")
	}
}

// A record says of the conf dir for which it was made, though nobody else does.
func TestOtherConfDirOnRecord(t *testing.T) {
	first, second := twoFolders(t)
	second.request.Elsewhere, second.request.RecordDir = nil, first.path("record")
	second.must(installer.Uninstall)
	if second.has("bin/"+installer.Marker) || strings.Contains(second.read("conf2/20-b.conflist"), "guard") {
		t.Errorf("got %s%s", second.folder("bin"), second.folder("conf2"))
	}
}

// A drop-in names the plugin as well.
func TestDropInElsewhere(t *testing.T) {
	n := installed(t)
	n.mkdir("conf/pods")
	n.write("conf/pods/10-x.conf", `{"type":"cni-guard"}`, 0o600)
	n.must(installer.Uninstall)
	n.old()
	if p := n.must(installer.Uninstall); !strings.Contains(n.show(p), "still named by NODE/conf/pods/10-x.conf") {
		t.Errorf("it says %s", n.show(p))
	}
}

// The last look at who names the plugin is right before it goes.
func TestNamedMeanwhile(t *testing.T) {
	n := installed(t)
	n.must(installer.Uninstall)
	n.old()
	p, err := installer.Uninstall(n.request)
	if err != nil {
		t.Fatal(err)
	}
	n.write("conf/20-b.conflist", `{"cniVersion":"1.0.0","name":"b","plugins":[{"type":"cni-guard"}]}`, 0o600)
	if err := p.Run(func(installer.Step) {}); err == nil || !strings.Contains(err.Error(), "named again by") || !n.has("bin/cni-guard") {
		t.Errorf("got %v", err)
	}
}
