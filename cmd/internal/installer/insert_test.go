// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

const ownFile = "conf/00-cni-guard.conflist"

// newNodeWithOwnFile makes a node with the guard in a file of its own.
func newNodeWithOwnFile(t *testing.T) *node {
	t.Helper()
	n := newNode(t)
	n.request.Placement = installer.Own
	n.write("conf/10-a.conflist", list, 0o600)
	n.must(installer.Install)
	return n
}

func (n *node) remove(name string) {
	n.t.Helper()
	if err := os.Remove(n.path(name)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) refuses(do func(installer.Request) (installer.Plan, error), words string) {
	n.t.Helper()
	before := n.listing("conf")
	if _, err := do(n.request); err == nil || !strings.Contains(err.Error(), words) {
		n.t.Errorf("got %v, want %q", err, words)
	}
	if n.listing("conf") != before {
		n.t.Errorf("it changed something: %s", n.listing("conf"))
	}
}

// A copy that stayed would win for ever, record or not, whatever became of its
// original's settings.
func TestOwnGoes(t *testing.T) {
	for name, change := range map[string]func(n *node){
		"no record": func(n *node) { n.remove("record/install.json") },
		"other settings": func(n *node) {
			n.write("conf/10-a.conflist", strings.Replace(list, `"bridge"`, `"bridge","mtu":9}, {"type":"tuning"`, 1), 0o600)
		},
		"other entry": func(n *node) {
			n.write(ownFile, strings.Replace(n.read(ownFile), `"cni-guard"`, `"cni-guard","mode":"audit"`, 1), 0o600)
		},
		"fewer plugins": func(n *node) {
			n.write("conf/10-a.conflist", strings.Replace(list, `"bridge"`, `"loopback"`, 1), 0o600)
		},
	} {
		n := newNodeWithOwnFile(t)
		change(n)
		if n.must(installer.Uninstall); n.has(ownFile) {
			t.Errorf("%s: %s", name, n.listing("conf"))
		}
	}
}

// The config directory may be a link that leads elsewhere by then, with a copy of all.
func TestOwnInMovedFolder(t *testing.T) {
	n := newNode(t)
	n.request.Placement = installer.Own
	link := n.path("current")
	n.request.Site.ConfDir = link
	if err := os.Symlink("conf", link); err != nil {
		t.Fatal(err)
	}
	n.write("conf/10-a.conf", `{"cniVersion":"1.0.0","name":"pods","type":"bridge"}`, 0o600)
	n.must(installer.Install)
	n.mkdir("next")
	for _, name := range []string{"/00-cni-guard.conflist", "/10-a.conf"} {
		n.write("next"+name, n.read("conf"+name), 0o600)
	}
	n.remove("current")
	if err := os.Symlink("next", link); err != nil {
		t.Fatal(err)
	}
	if p := n.must(installer.Install); len(p.Steps) > 0 {
		t.Errorf("installed again: %s", n.show(p))
	}
	if n.must(installer.Uninstall); n.has("next/00-cni-guard.conflist") {
		t.Errorf("got %s", n.listing("next"))
	}
}

// What another put into the file is not lost in silence.
func TestOwnWithMore(t *testing.T) {
	n := newNodeWithOwnFile(t)
	n.write(ownFile, strings.Replace(n.read(ownFile), `{"type":"cni-guard"`, `{"type":"istio-cni"},{"type":"cni-guard"`, 1), 0o600)
	const words = "it has the plugins istio-cni, which were added to it and are not in "
	n.refuses(installer.Install, words)
	n.refuses(installer.Uninstall, words)
	n.request.Force = true
	if n.must(installer.Uninstall); strings.Contains(n.read(ownFile), "guard") || !strings.Contains(n.read(ownFile), "istio-cni") {
		t.Errorf("got %s", n.listing("conf"))
	}
}

// A copy whose original is gone goes by force only, and then stays as a list.
func TestOwnOutlives(t *testing.T) {
	for name, change := range map[string]func(n *node){
		"nothing else":    func(*node) {},
		"another network": func(n *node) { n.write("conf/05-cilium.conflist", strings.Replace(list, "pods", "cilium", 1), 0o600) },
	} {
		n := newNodeWithOwnFile(t)
		n.remove("conf/10-a.conflist")
		change(n)
		n.refuses(installer.Uninstall, "its source is gone")
		n.refuses(installer.Uninstall, "guardctl uninstall --force")
		n.request.Force = true
		p := n.must(installer.Uninstall)
		if n.read(ownFile) != list || !strings.Contains(n.show(p), "00-cni-guard.conflist stays, without the guard") {
			t.Errorf("%s: %s%s", name, n.listing("conf"), n.show(p))
		}
	}
}

// Our own copy that is broken, as after a full disk, is made again, with the settings on
// record: conf prints that command. Of another network it is not.
func TestOwnBroken(t *testing.T) {
	for _, kind := range []conflist.Kind{conflist.Containerd, conflist.CRIO, conflist.CRIDockerd} {
		for _, left := range []string{"", `{"name": "pods", "plug`} {
			n := newNode(t)
			n.request.Site.Runtime.Kind = kind
			n.request.Placement, n.request.Mode = installer.Own, "audit"
			n.write("conf/10-a.conflist", list, 0o600)
			n.must(installer.Install)
			whole := n.read(ownFile)
			n.write(ownFile, left, 0o600)
			n.request.Mode = ""
			if n.must(installer.Install); n.read(ownFile) != whole {
				t.Errorf("%s, left %q: got %s, want %s", kind, left, n.read(ownFile), whole)
			}
			n.write(ownFile, left, 0o600)
			n.write("conf/05-b.conflist", strings.Replace(list, "pods", "others", 1), 0o600)
			n.refuses(installer.Install, "is broken, and it is not known whether 05-b.conflist")
		}
	}
}

// Where the operator says no placement, the guard is first as well with cri-dockerd,
// whose paths may lead to the node on ADD already, before primaries that take a result.
func TestDefaultPlacement(t *testing.T) {
	const bookend, inline = 2, 1
	for name, test := range map[string]struct {
		kind    conflist.Kind
		primary string
		said    installer.Placement
		want    int
	}{
		"bridge":                     {conflist.CRIDockerd, `{"type":"bridge"}`, "", bookend},
		"ipvlan on a named master":   {conflist.CRIDockerd, `{"type":"ipvlan","master":"eth0"}`, "", bookend},
		"ipvlan on whatever it gets": {conflist.CRIDockerd, `{"type":"ipvlan"}`, "", inline},
		"not known":                  {conflist.CRIDockerd, `{"type":"flannel"}`, "", inline},
		"said":                       {conflist.CRIDockerd, `{"type":"bridge"}`, installer.Inline, inline},
		"containerd":                 {conflist.Containerd, `{"type":"bridge"}`, "", inline},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.write("bin/ipvlan", answers, 0o755)
			n.write("conf/10-pods.conflist", `{"cniVersion":"1.0.0","name":"pods","plugins":[`+test.primary+`]}`, 0o644)
			n.request.Site.Runtime.Kind = test.kind
			n.request.Placement = test.said
			n.must(installer.Install)
			if got := strings.Count(n.read("conf/10-pods.conflist"), `"cni-guard"`); got != test.want {
				t.Errorf("the guard is there %d times, want %d:\n%s", got, test.want, n.read("conf/10-pods.conflist"))
			}
		})
	}
}
