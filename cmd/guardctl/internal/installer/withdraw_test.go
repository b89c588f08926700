// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

// Where somebody changed the file since, only our entry goes.
func TestUninstallChanged(t *testing.T) {
	n := installed(t)
	changed := strings.Replace(n.read("conf/10-a.conflist"), `"bridge"`, `"bridge","mtu":1400`, 1)
	n.write("conf/10-a.conflist", changed, 0o644)
	p := n.must(installer.Uninstall)
	if got, want := n.read("conf/10-a.conflist"), strings.Replace(list, `"bridge"`, `"bridge","mtu":1400`, 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.Contains(n.show(p), "was changed since") {
		t.Errorf("it says nothing: %s", n.show(p))
	}
}

// A list that was made of a single configuration, and was changed, stays a list.
func TestUninstallChangedSingle(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.conf", `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`, 0o600)
	n.must(installer.Install)
	n.write("conf/10-a.conflist", strings.Replace(n.read("conf/10-a.conflist"), `"bridge"`, `"bridge","mtu":1400`, 1), 0o600)
	n.must(installer.Uninstall)
	if got := n.read("conf/10-a.conflist"); strings.Contains(got, "cni-guard") || !strings.Contains(got, "1400") || n.has("conf/10-a.conf") {
		t.Errorf("got %s", n.folder("conf"))
	}
}

// What the primary plugin wrote since is not replaced by what install put aside.
func TestUninstallSingleThere(t *testing.T) {
	const newer = `{"cniVersion":"1.0.0","name":"pods","type":"bridge","mtu":1400}`
	n := newNode(t)
	n.write("conf/10-a.conf", `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`, 0o600)
	n.must(installer.Install)
	n.remove("conf/10-a.conflist")
	n.write("conf/10-a.conf", newer, 0o600)
	if n.must(installer.Uninstall); n.read("conf/10-a.conf") != newer {
		t.Errorf("got %s", n.folder("conf"))
	}
}

// Nor is the network of all pods changed by the way.
func TestUninstallOtherNetwork(t *testing.T) {
	n := newNode(t)
	n.write("conf/10-a.json", `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`, 0o600)
	n.must(installer.Install)
	n.write("conf/10-a.json", `{"cniVersion":"1.0.0","name":"others","type":"bridge"}`, 0o600)
	n.refuses(installer.Uninstall, `pods would get network "others", of 10-a.json, instead of "pods"`)
}

// Without a record the entry goes all the same.
func TestUninstallWithoutRecord(t *testing.T) {
	n := installed(t)
	if err := os.Remove(n.path("record/install.json")); err != nil {
		t.Fatal(err)
	}
	if n.must(installer.Uninstall); n.read("conf/10-a.conflist") != list {
		t.Errorf("got %s", n.folder("conf"))
	}
}

// Our own file is not removed where that left no network.
func TestUninstallOwnAlone(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	if err := os.Remove(n.path("conf/10-a.conflist")); err != nil {
		t.Fatal(err)
	}
	before := n.folder("conf")
	if _, err := installer.Uninstall(n.request); err == nil || !strings.Contains(err.Error(), "put the primary plugin's file back first") {
		t.Errorf("got %v", err)
	}
	if n.folder("conf") != before {
		t.Errorf("changed: %s", n.folder("conf"))
	}
}

// A primary plugin that writes its single configuration again is followed, by
// install and by uninstall.
func TestSingleComesBack(t *testing.T) {
	const single, newer = `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`, `{"cniVersion":"1.0.0","name":"pods","type":"bridge","mtu":1400}`
	n := newNode(t)
	n.write("conf/10-a.conf", single, 0o600)
	n.must(installer.Install)
	n.write("conf/10-a.conf", newer, 0o600)
	n.write("conf/10-a.conflist", strings.Replace(n.read("conf/10-a.conflist"), `"cni-guard"`, `"cni-guard","mode":"audit"`, 1), 0o600)
	n.must(installer.Install)
	if got := n.read("conf/10-a.conflist"); !strings.Contains(got, "1400") || !strings.Contains(got, `"mode":"audit"`) || !strings.Contains(got, "cni-guard") || n.has("conf/10-a.conf") {
		t.Errorf("installed again: %s", n.folder("conf"))
	}
	n.write("conf/10-a.conf", single, 0o600)
	if n.must(installer.Uninstall); n.folder("conf") != "-- 10-a.conf --\n"+single+"\n" {
		t.Errorf("uninstalled: %s", n.folder("conf"))
	}
}
