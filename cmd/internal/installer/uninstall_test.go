// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
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
		t.Fatalf("uninstalled: %s%s", n.listing("conf"), n.listing("bin"))
	}
	p := n.must(installer.Uninstall)
	if len(p.Steps) > 0 || !strings.Contains(n.show(p), "it was last named or called 0s ago, and stays for 5m0s") {
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

// cached is an attachment in the cache of libcni, whose sandbox is at netns.
func cached(config, netns string) string {
	return fmt.Sprintf(`{"kind":"cniCacheV1","containerId":"c0ffee","networkName":"pods","ifName":"eth0","netns":%q,"config":%q}`,
		netns, base64.StdEncoding.EncodeToString([]byte(config)))
}

// A file that names the plugin keeps it, and is named with what makes an end of it.
func TestStillNamed(t *testing.T) {
	const (
		entry   = `{"plugins":[{"type":"cni-guard"}]}`
		escaped = `{"plugins":[{"Type":"cni\u002dguard"}]}`
		dropIn  = `{"name":"x","type":"cni-guard"}`
		multus  = `{"name":"m","type":"multus","delegates":[{"name":"x","plugins":[{"type":"cni-guard"}]}]}`
	)
	for name, c := range map[string]struct{ content, ends string }{
		"conf/10-a.conflist" + quarantine.Suffix:             {entry, "rm NODE/conf/10-a.conflist" + quarantine.Suffix + "; or guardctl conf restore"},
		"conf/90-x.conf":                                     {dropIn, "remove the entry by hand, or rm NODE/conf/90-x.conf"},
		"conf/91-y.conf":                                     {"\xff\xfe" + utf16(dropIn), "remove the entry by hand"},
		"conf/net/99-guard.conf":                             {dropIn, "rm NODE/conf/net/99-guard.conf"},
		"conf/99-multus.conf":                                {multus, "restart its pod on this node"},
		"conf/20-b.conf.cni-guard-orig":                      {dropIn, "rm NODE/conf/20-b.conf.cni-guard-orig"},
		"elsewhere/10-b.conflist" + quarantine.Suffix + "-2": {escaped, "rm NODE/elsewhere/10-b"},
		"cache/results/gone":                                 {cached(entry, "/run/netns/none"), "guardctl release --container-id c0ffee --network pods --ifname eth0 releases its address, then rm NODE/cache/results/gone; or guardctl uninstall --force"},
		"cache/results/here":                                 {cached(escaped, "/proc/self/ns/net"), "it is removed when the pod ends"},
		"cache/results/nowhere":                              {cached(entry, ""), "if crictl pods does not list c0ffee, guardctl release"},
	} {
		n := installed(t)
		n.mkdir("elsewhere")
		n.mkdir("conf/net")
		n.request.Elsewhere = []string{n.path("elsewhere")}
		n.write("conf/10-a.conflist.bak", n.read("conf/10-a.conflist"), 0o600) // is not the guard's
		n.write(name, c.content, 0o600)
		n.must(installer.Uninstall)
		n.old()
		p := n.must(installer.Uninstall)
		if said := n.show(p); len(p.Steps) > 0 || !strings.Contains(said, "it is still named by NODE/"+name+" (") || !strings.Contains(said, c.ends) {
			t.Errorf("%s: %s", name, said)
		}
		if err := os.Remove(n.path(name)); err != nil {
			t.Fatal(err)
		}
		if n.must(installer.Uninstall); n.has("bin/cni-guard") {
			t.Errorf("%s: without it the plugin is still there", name)
		}
	}
}

// utf16 encodes ASCII as UTF-16, the lower byte first.
func utf16(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.Write([]byte{c, 0})
	}
	return b.String()
}

// With force an attachment whose sandbox is gone keeps nothing; one of a pod that
// lives keeps the plugin all the same.
func TestForceWithAttachments(t *testing.T) {
	n := installed(t)
	const entry = `{"plugins":[{"type":"cni-guard"}]}`
	n.write("cache/results/gone", cached(entry, n.path("none")), 0o600)
	n.write("cache/results/plain", cached(entry, n.path("record/install.json")), 0o600) // a pin whose mount is gone
	n.write("cache/results/here", cached(entry, "/proc/self/ns/net"), 0o600)
	n.request.Force = true
	n.must(installer.Uninstall)
	n.old()
	p := n.must(installer.Uninstall)
	if said := n.show(p); !n.has("bin/cni-guard") || !strings.Contains(said, "results/here") || strings.Contains(said, "results/gone") || strings.Contains(said, "results/plain") {
		t.Errorf("with a pod that lives: %s", said)
	}
	n.remove("cache/results/here")
	if n.must(installer.Uninstall); n.has("bin/cni-guard") {
		t.Error("the plugin is still there")
	}
}

// An entry is found however it is spelled, and what a runtime does not read as one is
// not.
func TestSpelling(t *testing.T) {
	for entry, found := range map[string]bool{
		`{"type":"cni\u002dguard"}`:                   true,
		`{ "TYPE" : "cni-guard" }`:                    true,
		`{"comment":"\"cni-guard\"","type":"tuning"}`: false,
		`{"type":"tuning","was":"cni-guard"}`:         false,
	} {
		n := newNode(t)
		n.write("bin/tuning", answers, 0o755)
		n.write("conf/10-a.conflist", strings.Replace(list, "]", ","+entry+"]", 1), 0o600)
		n.must(installer.Uninstall)
		if now := n.read("conf/10-a.conflist"); strings.Contains(now, entry) == found {
			t.Errorf("%s: the list has %s", entry, now)
		}
	}
}

// Missing directories do not prevent the removal of the rest.
func TestUninstallWithoutFolders(t *testing.T) {
	n := installed(t)
	if err := errors.Join(os.RemoveAll(n.path("conf")), os.RemoveAll(n.path("bin"))); err != nil {
		t.Fatal(err)
	}
	n.must(installer.Uninstall)
	if n.has("record/install.json") {
		t.Error("the record is still there")
	}
}

// Without a placement the one that there is stays; after uninstall it is the default.
func TestPlacementStays(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	n.request.Placement = ""
	n.write("conf/10-a.conflist", strings.Replace(list, `"bridge"`, `"bridge","mtu":9`, 1), 0o600)
	if n.must(installer.Install); !strings.Contains(n.read(ownFile), `"mtu":9`) {
		t.Errorf("the copy did not follow: %s", n.listing("conf"))
	}
	n.remove(ownFile) // Cilium renames what it does not know
	if n.must(installer.Install); !n.has(ownFile) {
		t.Errorf("the copy is not back: %s", n.listing("conf"))
	}
	n.must(installer.Uninstall)
	if n.must(installer.Install); n.has(ownFile) || !strings.Contains(n.read("conf/10-a.conflist"), "cni-guard") {
		t.Errorf("after uninstall: %s", n.listing("conf"))
	}
}

// An old marker says nothing of a list that named the plugin until now.
func TestMarkerBeginsAnew(t *testing.T) {
	n := installed(t)
	n.must(installer.Uninstall)
	n.old()
	n.write("conf/10-a.conflist", strings.Replace(list, "]", `,{"type":"cni-guard"}]`, 1), 0o600)
	p := n.must(installer.Uninstall)
	if len(p.Steps) == 0 || !strings.HasPrefix(p.Steps[0].Does, "renew ") { // what is killed after it leaves a new one
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
	n.mkdir("next") // the runtime may find the plugin there as well
	n.request.Site.Runtime.BinDirs = append(n.request.Site.Runtime.BinDirs, n.path("next"))
	n.write("next/"+installer.Marker, "", 0o600)
	n.must(installer.Install)
	if n.has("next/"+installer.Marker) || n.has("bin/"+installer.Marker) || !strings.Contains(n.read("conf/10-a.conflist"), "cni-guard") {
		t.Errorf("installed again: %s%s", n.listing("conf"), n.listing("bin"))
	}
}

// If the file was changed since, only the entry of cni-guard is removed.
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
		t.Errorf("got %s", n.listing("conf"))
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
		t.Errorf("got %s", n.listing("conf"))
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
		t.Errorf("got %s", n.listing("conf"))
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
	before := n.listing("conf")
	if _, err := installer.Uninstall(n.request); err == nil || !strings.Contains(err.Error(), "put the network plugin's file back first") {
		t.Errorf("got %v", err)
	}
	if n.listing("conf") != before {
		t.Errorf("changed: %s", n.listing("conf"))
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
		t.Errorf("installed again: %s", n.listing("conf"))
	}
	n.write("conf/10-a.conf", single, 0o600)
	if n.must(installer.Uninstall); n.listing("conf") != "-- 10-a.conf --\n"+single+"\n" {
		t.Errorf("uninstalled: %s", n.listing("conf"))
	}
}

// twoFolders makes a node that is installed for two config directories, with a record each.
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
	if err == nil || !strings.Contains(err.Error(), "use another --record-dir") {
		t.Errorf("one record for two directories: %v", err)
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

// The programs serve all config directories: they stay, and guard, until the last one is
// done with them.
func TestOtherConfDir(t *testing.T) {
	first, second := twoFolders(t)
	for range 2 {
		p := first.must(installer.Uninstall)
		if first.read("conf/10-a.conflist") != list || first.has("bin/"+installer.Marker) || !first.has("bin/cni-guard") {
			t.Errorf("the first is done: %s", first.listing("bin"))
		}
		if said := first.show(p); !strings.Contains(said, "another config directory names them: NODE/conf2/20-b.conflist (guardctl uninstall --runtime containerd --conf-dir NODE/conf2 --bin-dir NODE/bin)") {
			t.Errorf("it says %s", said)
		}
	}
	second.must(installer.Uninstall)
	second.old()
	if second.must(installer.Uninstall); second.has("bin/cni-guard") {
		t.Error("the plugin is still there")
	}
}

// Only the record names the config directory for which it was made.
func TestOtherConfDirOnRecord(t *testing.T) {
	first, second := twoFolders(t)
	second.request.Elsewhere, second.request.RecordDir = nil, first.path("record")
	second.must(installer.Uninstall)
	if second.has("bin/"+installer.Marker) || strings.Contains(second.read("conf2/20-b.conflist"), "guard") {
		t.Errorf("got %s%s", second.listing("bin"), second.listing("conf2"))
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
