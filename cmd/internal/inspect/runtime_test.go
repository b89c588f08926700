// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/cmd/internal/cri/critest"
	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
)

// serve starts a runtime and returns its socket.
func serve(t *testing.T, r critest.Runtime) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "inspect") // short: the path of a socket is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { _ = r.Serve(l) }()
	return filepath.Join(dir, "s")
}

// loaded returns what containerd has loaded of a network.
func (n *node) loaded(network string, plugins ...string) *cri.Loaded {
	l := &cri.Loaded{ConfDir: n.conf, BinDirs: []string{n.bin}, MaxConfNum: 1}
	if network != "" {
		l.Networks = []cri.Network{{Name: network, CNIVersion: "1.0.0"}}
		for _, p := range plugins {
			l.Networks[0].Plugins = append(l.Networks[0].Plugins, json.RawMessage(p))
		}
	}
	return l
}

func TestRuntime(t *testing.T) {
	const bridge, guard = `{"type":"bridge","mtu":1450}`, `{"type":"cni-guard"}`
	for name, c := range map[string]struct {
		change  func(*node)
		running func(*node) *site.Running
		want    string
	}{
		"the same": {nil, func(n *node) *site.Running {
			return &site.Running{NetworkReady: true, Loaded: n.loaded("a", `{"mtu":1450,"type":"bridge"}`, guard)}
		}, ""},
		"not asked": {nil, func(*node) *site.Running { return nil }, ""},
		"an older list": {nil, func(n *node) *site.Running {
			return &site.Running{NetworkReady: true, Loaded: n.loaded("a", bridge)}
		}, "not-loaded: containerd works with network \"a\" of bridge, and CONF has 10-a.conflist (network \"a\" of bridge, cni-guard) by now; its CRI status has what it works with; pods get the old list until it loads the directory again\n  run: systemctl restart containerd\n"},
		"another value": {nil, func(n *node) *site.Running {
			return &site.Running{NetworkReady: true, Loaded: n.loaded("a", `{"type":"bridge","mtu":1500}`, guard)}
		}, "not-loaded: containerd works with network \"a\" of bridge, cni-guard as it was before, and CONF has other values by now; its CRI status has what it works with; pods get the old list until it loads the directory again\n  run: systemctl restart containerd\n"},
		"nothing loaded": {nil, func(n *node) *site.Running {
			l := n.loaded("")
			l.Trouble = "cni config load failed: no network config found"
			return &site.Running{Loaded: l}
		}, "not-loaded: containerd has loaded no network, though CONF has 10-a.conflist (network \"a\" of bridge, cni-guard); it says: cni config load failed: no network config found; no pod can start\n  run: systemctl restart containerd\n"},
		"nothing to load": {func(n *node) { _ = os.Remove(filepath.Join(n.conf, "10-a.conflist")) }, func(n *node) *site.Running {
			return &site.Running{NetworkReady: true, Loaded: n.loaded("a", bridge, guard)}
		}, "not-loaded: containerd still works with network \"a\" of bridge, cni-guard, and would load nothing from CONF today; its CRI status has what it works with; pods start until it loads the directory again, and none does from then on\n  run: \n"},
		"a rogue that waits for a restart": {func(n *node) { n.list("05-b.conflist", "b", bridge) }, func(n *node) *site.Running {
			return &site.Running{NetworkReady: true, Loaded: n.loaded("a", bridge, guard)}
		}, "not-loaded: containerd works with network \"a\" of bridge, cni-guard, and CONF has 05-b.conflist (network \"b\" of bridge) by now; its CRI status has what it works with; pods get the old list until it loads the directory again\n  run: \n"},
		"another directory": {nil, func(n *node) *site.Running {
			l := n.loaded("b")
			l.ConfDir = "/elsewhere"
			return &site.Running{NetworkReady: true, Loaded: l}
		}, ""},
		"not ready": {nil, func(n *node) *site.Running {
			return &site.Running{Message: "Network plugin returns error: plugin status", Loaded: n.loaded("a", bridge, guard)}
		}, "network-not-ready: containerd says that its network is not ready; Network plugin returns error: plugin status; the node is NotReady, and no pod can start\n  run: \n"},
		"another configuration": {nil, func(n *node) *site.Running {
			return &site.Running{NetworkReady: true, Loaded: n.loaded("a", bridge, guard), Changed: []site.Change{{Setting: "conf_dir", Running: "/a", Configured: "/b"}}}
		}, "not-restarted: containerd runs with conf_dir /a, and its configuration says /b; it was changed since containerd started, which reads it at its start only; pods get their network by the old setting, until the next start brings the new one\n  run: \n"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.list("10-a.conflist", "a", bridge+","+guard)
			if c.change != nil {
				c.change(n)
			}
			s := site.Site{Name: "containerd", Unit: "containerd", Runtime: n.runtime, ConfDir: n.conf, Running: c.running(n)}
			if s.Running != nil {
				s.Socket = serve(t, critest.Runtime{Loaded: s.Running.Loaded})
			}
			if got := n.shown(inspect.Runtime(t.Context(), s, n.assess())); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// What was written while we looked is no difference once it is loaded.
func TestRuntimeSettles(t *testing.T) {
	n := newNode(t)
	n.list("10-a.conflist", "a", `{"type":"bridge"}`)
	s := site.Site{
		Name: "containerd", Runtime: n.runtime, ConfDir: n.conf,
		Running: &site.Running{NetworkReady: true, Loaded: n.loaded("b", `{"type":"bridge"}`)},
		Socket:  serve(t, critest.Runtime{Loaded: n.loaded("a", `{"type":"bridge"}`)}),
	}
	if got := n.shown(inspect.Runtime(t.Context(), s, n.assess())); strings.Contains(got, "not-loaded") {
		t.Error(got)
	}
}
