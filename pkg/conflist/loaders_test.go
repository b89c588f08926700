// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func containerd(maxConfNum int) conflist.Runtime {
	return conflist.Runtime{Kind: conflist.Containerd, MaxConfNum: maxConfNum}
}

func TestContainerd(t *testing.T) {
	run(t, []selectionCase{
		{"the first by bytes", tree{"20-a.conflist": of("a", "bridge"), "100-b.conf": single("b", "ptp"), "a.json": single("c", "ptp"), "Z.conflist": of("d", "ptp")}, containerd(1), `
100-b.conf: selected: is the network of every pod: it sorts first
20-a.conflist: shadowed: is shadowed by 100-b.conf, which sorts before it
Z.conflist: shadowed: is shadowed by 100-b.conf, which sorts before it
a.json: shadowed: is shadowed by 100-b.conf, which sorts before it`},
		{"two extensions", tree{"a.conf.conflist": of("a", "bridge"), "b.conflist.conf": single("b", "bridge"), "c.conflist.json": single("c", "bridge")}, containerd(0), `
a.conf.conflist: selected: is the network of every pod: it sorts first
b.conflist.conf: attached: is loaded beside a.conf.conflist: max_conf_num is 0, so that every pod gets both
c.conflist.json: attached: is loaded beside a.conf.conflist: max_conf_num is 0, so that every pod gets both`},
		{"a hidden file wins", tree{"00-a.conflist": of("a", "bridge"), ".10-b.conflist": of("b", "ptp")}, containerd(1), `
.10-b.conflist: selected: is the network of every pod: it sorts first
00-a.conflist: shadowed: is shadowed by .10-b.conflist, which sorts before it`},
		{"several", tree{"10-a.conflist": of("a", "bridge"), "20-b.conflist": of("b", "ptp"), "30-c.conflist": of("c", "ptp")}, containerd(2), `
10-a.conflist: selected: is the network of every pod: it sorts first
20-b.conflist: attached: is loaded beside 10-a.conflist: max_conf_num is 2, so that every pod gets both
30-c.conflist: shadowed: is shadowed by 20-b.conflist, which sorts before it`},
		{"all", tree{"10-a.conflist": of("a", "bridge"), "20-b.conflist": of("a", "ptp")}, containerd(0), `
10-a.conflist: selected: is the network of every pod: it sorts first
20-b.conflist: attached: is loaded beside 10-a.conflist: max_conf_num is 0, so that every pod gets both`},
		{"a bad one behind the limit", tree{"10-a.conflist": of("a", "bridge"), "20-b.conflist": ""}, containerd(1), `
10-a.conflist: selected: is the network of every pod: it sorts first
20-b.conflist: invalid: is refused: it is empty; containerd does not come to it while 10-a.conflist sorts before it, and loads nothing once it does`},
		{"a bad one disables the node", tree{"05-b.conflist": "", "10-a.conflist": of("a", "bridge"), "20-c.conf": of("c", "ptp")}, containerd(1), `
05-b.conflist: invalid: is refused: it is empty; containerd loads nothing at all because of it
10-a.conflist: shadowed: is shadowed by 05-b.conflist, which sorts before it and stops containerd from loading anything
20-c.conf: invalid: is refused: it has no type, which names the plugin; it has a list of plugins, and the name of such a file must end in .conflist
error: the runtime loads no network: DIR/05-b.conflist disables the node: it is empty; containerd loads nothing until it is corrected or renamed`},
		{"a bad one within the limit disables the node", tree{"10-a.conflist": of("a", "bridge"), "20-b.conflist": "", "30-c.conflist": of("c", "ptp")}, containerd(3), `
10-a.conflist: shadowed: is not used: 20-b.conflist stops containerd from loading anything
20-b.conflist: invalid: is refused: it is empty; containerd loads nothing at all because of it
30-c.conflist: shadowed: is not used: 20-b.conflist stops containerd from loading anything
error: the runtime loads no network: DIR/20-b.conflist disables the node: it is empty; containerd loads nothing until it is corrected or renamed`},
		{"a pipe", tree{"05-b.conflist": "|", "10-a.conflist": of("a", "bridge")}, containerd(1), `
05-b.conflist: invalid: is refused: it is a named pipe, on which every reader blocks: remove it; containerd loads nothing at all because of it
10-a.conflist: shadowed: is shadowed by 05-b.conflist, which sorts before it and stops containerd from loading anything
error: the runtime loads no network: DIR/05-b.conflist disables the node: it is a named pipe, on which every reader blocks: remove it; containerd loads nothing until it is corrected or renamed`},
		{"nothing to load", tree{"a.conflist.bak": of("a", "bridge")}, containerd(1), `
a.conflist.bak: not loadable: is not loaded: the name ends in .bak, and runtimes load .conf, .conflist and .json
error: the runtime loads no network: containerd finds no .conf, .conflist or .json in DIR`},
		{"a network without a name", tree{"10-a.conflist": of("", "bridge"), "20-b.conflist": of("a/b", "bridge")}, containerd(0), `
10-a.conflist: selected: is the network of every pod: it sorts first; but its network has no name, so that no pod can start
20-b.conflist: attached: is loaded beside 10-a.conflist: max_conf_num is 0, so that every pod gets both; but no pod can start, because the name of its network, "a/b", has characters other than letters, digits and _.-`},
		{"plugins need not be there", tree{"10-a.conflist": of("a", "missing")}, conflist.Runtime{Kind: conflist.Containerd, MaxConfNum: 1, BinDirs: []string{"/nowhere"}}, `
10-a.conflist: selected: is the network of every pod: it sorts first`},
	})
}

// Links are loadable wherever they lead; what they lead to is seen when read.
func TestLinks(t *testing.T) {
	run(t, []selectionCase{
		{"to a file", tree{"10-a.conflist": "->../a", "../a": of("a", "bridge")}, containerd(1), `
10-a.conflist: selected: is the network of every pod: it sorts first`},
		{"to nowhere", tree{"10-a.conflist": "->gone", "20-b.conflist": of("b", "bridge")}, containerd(1), `
10-a.conflist: invalid: is refused: it is a link to gone, which does not exist: file does not exist; containerd loads nothing at all because of it
20-b.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it and stops containerd from loading anything
error: the runtime loads no network: DIR/10-a.conflist disables the node: it is a link to gone, which does not exist: file does not exist; containerd loads nothing until it is corrected or renamed`},
		{"to a directory", tree{"10-a.conflist": "->.", "05-b.conflist": of("b", "bridge")}, containerd(1), `
05-b.conflist: selected: is the network of every pod: it sorts first
10-a.conflist: invalid: is refused: it is a link to a directory; containerd does not come to it while 05-b.conflist sorts before it, and loads nothing once it does`},
		{"to a device", tree{"10-a.conf": "->/dev/null", "05-b.conflist": of("b", "bridge")}, containerd(1), `
05-b.conflist: selected: is the network of every pod: it sorts first
10-a.conf: invalid: is refused: it is a device, not a file; containerd does not come to it while 05-b.conflist sorts before it, and loads nothing once it does`},
		{"to a pipe", tree{"10-a.conf": "->p", "p": "|", "05-b.conflist": of("b", "bridge")}, containerd(1), `
05-b.conflist: selected: is the network of every pod: it sorts first
10-a.conf: invalid: is refused: it is a named pipe, on which every reader blocks: remove it; containerd does not come to it while 05-b.conflist sorts before it, and loads nothing once it does
p: not loadable: is not loaded: the name has no extension`},
	})
}

func TestNotLoadable(t *testing.T) {
	run(t, []selectionCase{{"each its reason", tree{
		"10-a.conflist": of("net", "bridge"), "x.conflist": "/", "net/10.conf": `{"type":"dropped"}`, "whereabouts.d": "/",
		"b.CONFLIST": "", "c.Json": "", "calico-kubeconfig": "", "d.conflist.cilium_bak": "", "e.": "", ".f": "",
	}, containerd(1), `
10-a.conflist: selected: is the network of every pod: it sorts first
.f: not loadable: is not loaded: the name ends in .f, and runtimes load .conf, .conflist and .json
b.CONFLIST: not loadable: is not loaded: the name ends in .CONFLIST, and extensions are case sensitive
c.Json: not loadable: is not loaded: the name ends in .Json, and extensions are case sensitive
calico-kubeconfig: not loadable: is not loaded: the name has no extension
d.conflist.cilium_bak: not loadable: is not loaded: the name ends in .cilium_bak, and runtimes load .conf, .conflist and .json
e.: not loadable: is not loaded: the name has no extension
net: not loadable: is a directory of drop-ins, whose .conf files add plugins to 10-a.conflist
whereabouts.d: not loadable: is not loaded: it is a directory
x.conflist: not loadable: is not loaded: it is a directory`}})
}

// crio is CRI-O whose plugins are bridge, and old, which knows 0.4.0 only.
func crio(t *testing.T, network string) conflist.Runtime {
	return withPlugins(t, conflist.Runtime{Kind: conflist.CRIO, DefaultNetwork: network})
}

func withPlugins(t *testing.T, r conflist.Runtime) conflist.Runtime {
	t.Helper()
	bin := t.TempDir()
	tree{"bridge": "", "old": "", "folder": "/"}.makeIn(t, bin)
	r.BinDirs = []string{filepath.Join(bin, "gone"), bin}
	r.Supports = func(binary, cniVersion string) error {
		switch {
		case filepath.Dir(binary) != bin:
			return fmt.Errorf("%s is not in %s", binary, bin)
		case filepath.Base(binary) == "old" && cniVersion != "0.4.0":
			return errors.New("it knows 0.4.0 only, not " + cniVersion)
		}
		return nil
	}
	return r
}

func TestCRIO(t *testing.T) {
	r := crio(t, "")
	bin := r.BinDirs[1]
	run(t, []selectionCase{
		{"what is invalid is skipped", tree{"05-x.conflist": "", "10-a.conflist": of("a", "bridge"), "20-b.conf": single("b", "bridge")}, r, `
05-x.conflist: invalid: is refused: it is empty; CRI-O skips it
10-a.conflist: selected: is the network of every pod: of the valid files it sorts first
20-b.conf: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"a missing plugin skips the file", tree{"05-x.conflist": of("x", "bridge", "cni-guard"), "10-a.conflist": of("a", "bridge"), "20-x.conflist": of("x", "bridge")}, r, `
05-x.conflist: invalid: is refused: plugin "cni-guard" is not in ` + r.BinDirs[0] + `, ` + bin + `; CRI-O skips it
10-a.conflist: selected: is the network of every pod: of the valid files it sorts first
20-x.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"a plugin that is a directory, one that is a path", tree{"05-x.conflist": of("x", "folder"), "06-y.conflist": of("x", "../bridge"), "10-a.conflist": of("a", "bridge")}, r, `
05-x.conflist: invalid: is refused: plugin "folder" is not in ` + r.BinDirs[0] + `, ` + bin + `; CRI-O skips it
06-y.conflist: invalid: is refused: plugin type "../bridge" is a path, and must be a name; CRI-O skips it
10-a.conflist: selected: is the network of every pod: of the valid files it sorts first`},
		{"a plugin that does not know the version", tree{"05-x.conflist": of("x", "old"), "06-y.conf": single("y", "old"), "10-a.conf": `{"name":"a","type":"old","cniVersion":"0.4.0"}`}, r, `
05-x.conflist: invalid: is refused: plugin ` + bin + `/old: it knows 0.4.0 only, not 1.0.0; CRI-O skips it
06-y.conf: invalid: is refused: plugin ` + bin + `/old: it knows 0.4.0 only, not 0.1.0; CRI-O skips it
10-a.conf: selected: is the network of every pod: of the valid files it sorts first`},
		{"the plugin of a drop-in", tree{"05-x.conflist": of("x", "bridge"), "x/a.conf": `{"type":"missing"}`}, r, `
05-x.conflist: invalid: is refused: plugin "missing" is not in ` + r.BinDirs[0] + `, ` + bin + `; CRI-O skips it
x: not loadable: is a directory of drop-ins, whose .conf files add plugins to 05-x.conflist
error: the runtime loads no network: CRI-O refuses all files in DIR`},
		{"names that are there already", tree{"10-a.conflist": of("a", "bridge"), "20-a.conflist": of("a", "bridge"), "30-b.conflist": of("b", "bridge")}, r, `
10-a.conflist: selected: is the network of every pod: of the valid files it sorts first
20-a.conflist: shadowed: is ignored: 10-a.conflist, which sorts before it, already has its network "a"
30-b.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"the default network", tree{"10-a.conflist": of("a", "bridge"), "20-b.conflist": of("b", "bridge"), "30-b.conflist": of("b", "bridge")}, crio(t, "b"), `
10-a.conflist: shadowed: is shadowed by 20-b.conflist, whose network "b" is the cni_default_network; its own is "a"
20-b.conflist: selected: is the network of every pod: it has the name of cni_default_network
30-b.conflist: shadowed: is ignored: 20-b.conflist, which sorts before it, already has its network "b"`},
		{"no default network, no fallback", tree{"10-a.conflist": of("a", "bridge")}, crio(t, "b"), `
10-a.conflist: shadowed: is not used: cni_default_network is "b", and its network is "a"
error: the runtime loads no network: cni_default_network is "b", and no valid file in DIR has that network; CRI-O selects no other`},
		{"a pipe before it", tree{"05-p.conf": "|", "10-a.conflist": of("a", "bridge")}, r, `
05-p.conf: invalid: is refused: it is a named pipe, on which every reader blocks: remove it; CRI-O hangs on it when it next loads the directory
10-a.conflist: shadowed: is not used: CRI-O hangs before it comes to it
error: the runtime loads no network: CRI-O hangs on DIR/05-p.conf: it is a named pipe, on which every reader blocks: remove it`},
	})
}

// A file that names no network is known to CRI-O by its own name.
func TestCRIONamesTheNetwork(t *testing.T) {
	dir := tree{"10-a.conf": `{"type":"bridge"}`}.make(t)
	if f, err := conflist.Effective(dir, crio(t, "10-a.conf")); err != nil || f.Network != "10-a.conf" {
		t.Errorf("got %+v, %v", f, err)
	}
}

// cri-dockerd has libcni v1.1.2, which knows no drop-ins and no cniVersions.
func TestCRIDockerd(t *testing.T) {
	r := withPlugins(t, conflist.NewRuntime(conflist.CRIDockerd))
	r.DefaultNetwork = "b" // a setting of CRI-O only
	run(t, []selectionCase{
		{"first valid", tree{"05-x.conflist": of("x", "missing"), "10-a.conflist": of("a", "bridge"), "20-b.conflist": of("b", "bridge")}, r, `
05-x.conflist: invalid: is refused: plugin "missing" is not in ` + r.BinDirs[0] + `, ` + r.BinDirs[1] + `; cri-dockerd skips it
10-a.conflist: selected: is the network of every pod: of the valid files it sorts first
20-b.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"no drop-ins, no flags but one", tree{
			"05-x.conflist": `{"name":"x"}`, "x/a.conf": `{"type":"bridge"}`,
			"06-y.conflist": `{"name":"y","disableCheck":"true","plugins":[{"type":"bridge"}]}`,
			"10-a.conflist": `{"name":"a","cniVersion":"0.4.0","cniVersions":7,"disableGC":7,"loadOnlyInlinedPlugins":7,"plugins":[{"type":"old","cni.dev/valid-attachments":7}]}`, "a/a.conf": "{",
		}, r, `
05-x.conflist: invalid: is refused: it has no plugins; cri-dockerd skips it
06-y.conflist: invalid: is refused: disableCheck is a string, not true or false; cri-dockerd skips it
10-a.conflist: selected: is the network of every pod: of the valid files it sorts first
a: not loadable: is not loaded: it is a directory
x: not loadable: is not loaded: it is a directory`},
		{"none", tree{"05-x.conflist": ""}, r, `
05-x.conflist: invalid: is refused: it is empty; cri-dockerd skips it
error: the runtime loads no network: cri-dockerd refuses all files in DIR, and keeps its present network until it is restarted`},
	})
}
