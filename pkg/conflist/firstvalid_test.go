// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// crio is CRI-O whose plugins are bridge, and old, which knows 0.4.0 only.
func crio(t *testing.T, network string) conflist.Runtime {
	return withPlugins(t, conflist.Runtime{Kind: conflist.CRIO, DefaultNetwork: network})
}

func withPlugins(t *testing.T, r conflist.Runtime) conflist.Runtime {
	t.Helper()
	bin := t.TempDir()
	folder{"bridge": "", "old": "", "folder": "/"}.makeIn(t, bin)
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
	run(t, []selecting{
		{"what is invalid is skipped", folder{"05-x.conflist": "", "10-a.conflist": of("a", "bridge"), "20-b.conf": single("b", "bridge")}, r, `
05-x.conflist: invalid: is refused: it is empty; CRI-O skips it
10-a.conflist: selected: is the network of every pod: of those that are valid it sorts first
20-b.conf: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"a missing plugin skips the file", folder{"05-x.conflist": of("x", "bridge", "cni-guard"), "10-a.conflist": of("a", "bridge"), "20-x.conflist": of("x", "bridge")}, r, `
05-x.conflist: invalid: is refused: plugin "cni-guard" is not in ` + r.BinDirs[0] + `, ` + bin + `; CRI-O skips it
10-a.conflist: selected: is the network of every pod: of those that are valid it sorts first
20-x.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"a plugin that is a folder, one that is a path", folder{"05-x.conflist": of("x", "folder"), "06-y.conflist": of("x", "../bridge"), "10-a.conflist": of("a", "bridge")}, r, `
05-x.conflist: invalid: is refused: plugin "folder" is not in ` + r.BinDirs[0] + `, ` + bin + `; CRI-O skips it
06-y.conflist: invalid: is refused: plugin type "../bridge" is a path, and must be a name; CRI-O skips it
10-a.conflist: selected: is the network of every pod: of those that are valid it sorts first`},
		{"a plugin that does not know the version", folder{"05-x.conflist": of("x", "old"), "06-y.conf": single("y", "old"), "10-a.conf": `{"name":"a","type":"old","cniVersion":"0.4.0"}`}, r, `
05-x.conflist: invalid: is refused: plugin ` + bin + `/old: it knows 0.4.0 only, not 1.0.0; CRI-O skips it
06-y.conf: invalid: is refused: plugin ` + bin + `/old: it knows 0.4.0 only, not 0.1.0; CRI-O skips it
10-a.conf: selected: is the network of every pod: of those that are valid it sorts first`},
		{"the plugin of a drop-in", folder{"05-x.conflist": of("x", "bridge"), "x/a.conf": `{"type":"missing"}`}, r, `
05-x.conflist: invalid: is refused: plugin "missing" is not in ` + r.BinDirs[0] + `, ` + bin + `; CRI-O skips it
x: not loadable: is a folder of drop-ins, whose .conf files add plugins to 05-x.conflist
error: the runtime loads no network: CRI-O refuses all files in DIR`},
		{"names that are there already", folder{"10-a.conflist": of("a", "bridge"), "20-a.conflist": of("a", "bridge"), "30-b.conflist": of("b", "bridge")}, r, `
10-a.conflist: selected: is the network of every pod: of those that are valid it sorts first
20-a.conflist: shadowed: is ignored: its network "a" is that of 10-a.conflist already, which sorts before it
30-b.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"the default network", folder{"10-a.conflist": of("a", "bridge"), "20-b.conflist": of("b", "bridge"), "30-b.conflist": of("b", "bridge")}, crio(t, "b"), `
10-a.conflist: shadowed: is shadowed by 20-b.conflist, whose network "b" is the cni_default_network; its own is "a"
20-b.conflist: selected: is the network of every pod: it has the name of cni_default_network
30-b.conflist: shadowed: is ignored: its network "b" is that of 20-b.conflist already, which sorts before it`},
		{"no default network, no fallback", folder{"10-a.conflist": of("a", "bridge")}, crio(t, "b"), `
10-a.conflist: shadowed: is not used: cni_default_network is "b", and its network is "a"
error: the runtime loads no network: cni_default_network is "b", and no valid file in DIR has that network; CRI-O takes no other`},
		{"a pipe before it", folder{"05-p.conf": "|", "10-a.conflist": of("a", "bridge")}, r, `
05-p.conf: invalid: is refused: it is a pipe, and whoever opens it waits for a writer: remove it; CRI-O hangs on it when it next loads the folder
10-a.conflist: shadowed: is not used: CRI-O hangs before it comes to it
error: the runtime loads no network: CRI-O hangs on DIR/05-p.conf: it is a pipe, and whoever opens it waits for a writer: remove it`},
	})
}

// A file that names no network is known to CRI-O by its own name.
func TestCRIONamesTheNetwork(t *testing.T) {
	dir := folder{"10-a.conf": `{"type":"bridge"}`}.make(t)
	if f, err := conflist.Effective(dir, crio(t, "10-a.conf")); err != nil || f.Network != "10-a.conf" {
		t.Errorf("got %+v, %v", f, err)
	}
}

// cri-dockerd has libcni v1.1.2, which knows no drop-ins and no cniVersions.
func TestCRIDockerd(t *testing.T) {
	r := withPlugins(t, conflist.NewRuntime(conflist.CRIDockerd))
	r.DefaultNetwork = "b" // a setting of CRI-O only
	run(t, []selecting{
		{"first valid", folder{"05-x.conflist": of("x", "missing"), "10-a.conflist": of("a", "bridge"), "20-b.conflist": of("b", "bridge")}, r, `
05-x.conflist: invalid: is refused: plugin "missing" is not in ` + r.BinDirs[0] + `, ` + r.BinDirs[1] + `; cri-dockerd skips it
10-a.conflist: selected: is the network of every pod: of those that are valid it sorts first
20-b.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it`},
		{"no drop-ins, no flags but one", folder{
			"05-x.conflist": `{"name":"x"}`, "x/a.conf": `{"type":"bridge"}`,
			"06-y.conflist": `{"name":"y","disableCheck":"true","plugins":[{"type":"bridge"}]}`,
			"10-a.conflist": `{"name":"a","cniVersion":"0.4.0","cniVersions":7,"disableGC":7,"loadOnlyInlinedPlugins":7,"plugins":[{"type":"old","cni.dev/valid-attachments":7}]}`, "a/a.conf": "{",
		}, r, `
05-x.conflist: invalid: is refused: it has no plugins; cri-dockerd skips it
06-y.conflist: invalid: is refused: disableCheck is a string, not true or false; cri-dockerd skips it
10-a.conflist: selected: is the network of every pod: of those that are valid it sorts first
a: not loadable: is not loaded: it is a folder
x: not loadable: is not loaded: it is a folder`},
		{"none", folder{"05-x.conflist": ""}, r, `
05-x.conflist: invalid: is refused: it is empty; cri-dockerd skips it
error: the runtime loads no network: cri-dockerd refuses all files in DIR; it keeps the network that it has until it is restarted`},
	})
}
