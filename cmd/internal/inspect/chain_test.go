// SPDX-License-Identifier: Apache-2.0

package inspect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// A node is a config directory and a plugin directory.
type node struct {
	*testing.T
	conf, bin string
	runtime   conflist.Runtime
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{T: t, conf: t.TempDir(), bin: t.TempDir(), runtime: conflist.NewRuntime(conflist.Containerd)}
	n.runtime.BinDirs = []string{n.bin}
	return n
}

func (n *node) write(path, text string, mode os.FileMode) {
	n.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), mode)
	}
	if err != nil {
		n.Fatal(err)
	}
}

// list writes a conflist of a network.
func (n *node) list(name, network, plugins string) {
	n.Helper()
	n.write(filepath.Join(n.conf, name), fmt.Sprintf(`{"cniVersion":"1.0.0","name":%q,"plugins":[%s]}`, network, plugins), 0o600)
}

// plugin writes a plugin that knows some versions.
func (n *node) plugin(name string, versions ...string) {
	n.Helper()
	n.write(filepath.Join(n.bin, name), fmt.Sprintf("#!/bin/sh\necho '{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"%s\"]}'\n", strings.Join(versions, `","`)), 0o755)
}

func (n *node) assess() assess.Assessment {
	n.Helper()
	s, err := conflist.Select(n.conf, n.runtime)
	if err != nil {
		n.Fatal(err)
	}
	return assess.Assess(s, assess.Intent{})
}

// shown has the problems as text, a paragraph each, with short names of directories.
func (n *node) shown(problems []inspect.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		minor := ""
		if p.Minor {
			minor = "minor "
		}
		fmt.Fprintf(&b, "%s%s: %s %s\n  run: %s\n", minor, p.Kind, p.Object, p.Sentence(), p.Command)
	}
	return strings.NewReplacer(n.bin, "BIN", n.conf, "CONF").Replace(b.String())
}

func TestChain(t *testing.T) {
	const two = `{"type":"bridge","ipam":{"type":"host-local"}},{"type":"cni-guard"}`
	remove := func(n *node, name string) { _ = os.Remove(filepath.Join(n.bin, name)) }
	chmod := func(n *node, name string, mode os.FileMode) { _ = os.Chmod(filepath.Join(n.bin, name), mode) }
	for name, c := range map[string]struct {
		change func(*node)
		want   string // no problem: ""
	}{
		"healthy": {func(*node) {}, ""},
		"missing": {
			func(n *node) { remove(n, "bridge") },
			"plugin-missing: plugin bridge is one of 10-a.conflist, and is not there; it is not in BIN; no pod can start\n  run: \n",
		},
		"the guard is missing": {
			func(n *node) { remove(n, "cni-guard") },
			"plugin-missing: plugin cni-guard is one of 10-a.conflist, and is not there; it is not in BIN; no pod can start\n  run: \n",
		},
		"the plugin for addresses is missing": {
			func(n *node) { remove(n, "host-local") },
			"plugin-missing: plugin host-local is what the plugin bridge of 10-a.conflist starts, and is not there; it is not in BIN; no pod can start\n  run: \n",
		},
		"not executable": {
			func(n *node) { chmod(n, "bridge", 0o644) },
			"plugin-not-executable: BIN/bridge is a plugin of 10-a.conflist and cannot be executed; its mode is 0644; no pod can start\n  run: chmod 0755 BIN/bridge\n",
		},
		"another version": {
			func(n *node) { n.plugin("bridge", "0.3.1", "0.4.0") },
			"plugin-version: BIN/bridge is a plugin of 10-a.conflist and does not know its cniVersion 1.0.0; it knows 0.3.1, 0.4.0; no pod can start\n  run: \n",
		},
		"fails": {
			func(n *node) { n.write(filepath.Join(n.bin, "bridge"), "#!/bin/sh\nexit 3\n", 0o755) },
			"plugin-fails: BIN/bridge is a plugin of 10-a.conflist and does not answer VERSION; ask BIN/bridge for VERSION: exit status 3; no pod can start\n  run: \n",
		},
		"what flannel starts": {
			func(n *node) {
				n.list("10-a.conflist", "a", `{"type":"flannel"}`)
				n.plugin("flannel", "1.0.0")
				remove(n, "bridge")
			},
			"plugin-missing: plugin bridge is what the plugin flannel of 10-a.conflist starts, and is not there; it is not in BIN; no pod can start\n  run: \n",
		},
		"CRI-O": {
			func(n *node) { n.runtime.Kind = conflist.CRIO; chmod(n, "host-local", 0o600) },
			"plugin-not-executable: BIN/host-local is what the plugin bridge of 10-a.conflist starts and cannot be executed; its mode is 0600; CRI-O skips 10-a.conflist, or no pod can start\n  run: chmod 0755 BIN/host-local\n",
		},
		"directories not known": {func(n *node) { n.runtime.BinDirs = nil; remove(n, "bridge") }, ""},
		"ipam of a plugin that reads it in its own way": {
			func(n *node) {
				n.list("10-a.conflist", "a", `{"type":"own","ipam":{"type":"nothing"}}`)
				n.plugin("own", "1.0.0")
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			n.list("10-a.conflist", "a", two)
			for _, plugin := range []string{"bridge", "host-local", "cni-guard"} {
				n.plugin(plugin, "0.4.0", "1.0.0")
			}
			c.change(n)
			if got := n.shown(inspect.Chain(t.Context(), n.assess(), " --conf-dir x")); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// A directory that is mounted noexec is no question of modes.
func TestChainNoexec(t *testing.T) {
	checktest.PrivateNode(t)
	n := newNode(t)
	checktest.Shell(t, "mount -t tmpfs -o noexec tmpfs "+n.bin)
	defer checktest.Shell(t, "umount -l "+n.bin)
	n.list("10-a.conflist", "a", `{"type":"bridge"}`)
	n.plugin("bridge", "1.0.0")
	const want = "plugin-not-executable: BIN/bridge is a plugin of 10-a.conflist and cannot be executed; its file system is mounted noexec; no pod can start\n  run: mount -o remount,bind,exec BIN\n"
	problems := inspect.Chain(t.Context(), n.assess(), "")
	if got := n.shown(problems); got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	checktest.Shell(t, problems[0].Command) // what it tells to do mends it
	if got := n.shown(inspect.Chain(t.Context(), n.assess(), "")); got != "" {
		t.Errorf("after the command: %s", got)
	}
}
