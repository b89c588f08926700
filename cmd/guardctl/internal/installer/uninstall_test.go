// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

const list = `{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"bridge"}]}` + "\n"

// installed makes a node with the guard in its list.
func installed(t *testing.T) *node {
	t.Helper()
	n := newNode(t)
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	return n
}

func (n *node) has(name string) bool {
	_, err := os.Lstat(n.path(name))
	return err == nil
}

// old makes the time of the marker that of a call an hour ago.
func (n *node) old() {
	n.t.Helper()
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(n.path("bin/"+installer.Marker), then, then); err != nil {
		n.t.Fatal(err)
	}
}

// The plugin stays, with the marker, until nothing names or calls it.
func TestGrace(t *testing.T) {
	n := installed(t)
	n.must(installer.Uninstall)
	if n.read("conf/10-a.conflist") != list || !n.has("bin/cni-guard") || !n.has("bin/"+installer.Marker) {
		t.Fatalf("uninstalled: %s%s", n.folder("conf"), n.folder("bin"))
	}
	p := n.must(installer.Uninstall)
	if len(p.Steps) > 0 || !strings.Contains(n.show(p), "it was named or called 0s ago, and stays for 5m0s") {
		t.Errorf("at once: %s", n.show(p))
	}
	n.old()
	n.must(installer.Uninstall)
	for _, gone := range []string{"bin/cni-guard", "bin/guardctl", "bin/" + installer.Marker, "record/install.json"} {
		if n.has(gone) {
			t.Errorf("%s is still there", gone)
		}
	}
	if p := n.must(installer.Uninstall); len(p.Steps) > 0 {
		t.Errorf("a third time: %s", n.show(p))
	}
}

// What names the plugin keeps it, and is told.
func TestStillNamed(t *testing.T) {
	const config = "eyJwbHVnaW5zIjpbeyJ0eXBlIjoiY25pLWd1YXJkIn1dfQ==" // {"plugins":[{"type":"cni-guard"}]}
	for name, content := range map[string]string{
		"conf/10-a.conflist" + quarantine.Suffix:             `{"plugins":[{"type":"cni-guard"}]}`,
		"conf/90-x.conf":                                     `{"name":"x","type":"cni-guard"}`,
		"conf/20-b.conf.cni-guard-orig":                      `{"name":"x","type":"cni-guard"}`,
		"elsewhere/10-b.conflist" + quarantine.Suffix + "-2": `{"plugins":[{"type":"cni-guard"}]}`,
		"cache/results/pods-c0ffee-eth0":                     `{"kind":"cniCacheV1","config":"` + config + `"}`,
	} {
		n := installed(t)
		if err := os.Mkdir(n.path("elsewhere"), 0o700); err != nil {
			t.Fatal(err)
		}
		n.request.Elsewhere = []string{n.path("elsewhere")}
		n.write("conf/10-a.conflist.bak", n.read("conf/10-a.conflist"), 0o600) // is nobody's business
		n.write(name, content, 0o600)
		n.must(installer.Uninstall)
		n.old()
		p := n.must(installer.Uninstall)
		if len(p.Steps) > 0 || !strings.Contains(n.show(p), "it is still named by NODE/"+name) {
			t.Errorf("%s: %s", name, n.show(p))
		}
		if err := os.Remove(n.path(name)); err != nil {
			t.Fatal(err)
		}
		if n.must(installer.Uninstall); n.has("bin/cni-guard") {
			t.Errorf("%s: without it the plugin is still there", name)
		}
	}
}

// An old marker says nothing of a list that named the plugin until now.
func TestMarkerBeginsAnew(t *testing.T) {
	n := installed(t)
	n.must(installer.Uninstall)
	n.old()
	n.write("conf/10-a.conflist", strings.Replace(list, "]", `,{"type":"cni-guard"}]`, 1), 0o600)
	p := n.must(installer.Uninstall)
	if len(p.Steps) == 0 || !strings.HasPrefix(p.Steps[0].Does, "renew ") { // whoever is killed behind it has a new one
		t.Errorf("it would %s", n.show(p))
	}
	if n.must(installer.Uninstall); !n.has("bin/cni-guard") {
		t.Error("the plugin is gone at once")
	}
}

// Install takes the marker away, and so the guard is one again.
func TestInstallAgain(t *testing.T) {
	n := installed(t)
	n.must(installer.Uninstall)
	n.must(installer.Install)
	if n.has("bin/"+installer.Marker) || !strings.Contains(n.read("conf/10-a.conflist"), "cni-guard") {
		t.Errorf("installed again: %s%s", n.folder("conf"), n.folder("bin"))
	}
}
