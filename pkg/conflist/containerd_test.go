// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

func containerd(maxConfNum int) conflist.Runtime {
	return conflist.Runtime{Kind: conflist.Containerd, MaxConfNum: maxConfNum}
}

func TestContainerd(t *testing.T) {
	run(t, []selecting{
		{"the first by bytes", folder{"20-a.conflist": of("a", "bridge"), "100-b.conf": single("b", "ptp"), "a.json": single("c", "ptp"), "Z.conflist": of("d", "ptp")}, containerd(1), `
100-b.conf: selected: is the network of every pod: it sorts first
20-a.conflist: shadowed: is shadowed by 100-b.conf, which sorts before it
Z.conflist: shadowed: is shadowed by 100-b.conf, which sorts before it
a.json: shadowed: is shadowed by 100-b.conf, which sorts before it`},
		{"two extensions", folder{"a.conf.conflist": of("a", "bridge"), "b.conflist.conf": single("b", "bridge"), "c.conflist.json": single("c", "bridge")}, containerd(0), `
a.conf.conflist: selected: is the network of every pod: it sorts first
b.conflist.conf: attached: is loaded beside a.conf.conflist: max_conf_num is 0, so that every pod gets both
c.conflist.json: attached: is loaded beside a.conf.conflist: max_conf_num is 0, so that every pod gets both`},
		{"a hidden file wins", folder{"00-a.conflist": of("a", "bridge"), ".10-b.conflist": of("b", "ptp")}, containerd(1), `
.10-b.conflist: selected: is the network of every pod: it sorts first
00-a.conflist: shadowed: is shadowed by .10-b.conflist, which sorts before it`},
		{"several", folder{"10-a.conflist": of("a", "bridge"), "20-b.conflist": of("b", "ptp"), "30-c.conflist": of("c", "ptp")}, containerd(2), `
10-a.conflist: selected: is the network of every pod: it sorts first
20-b.conflist: attached: is loaded beside 10-a.conflist: max_conf_num is 2, so that every pod gets both
30-c.conflist: shadowed: is shadowed by 20-b.conflist, which sorts before it`},
		{"all", folder{"10-a.conflist": of("a", "bridge"), "20-b.conflist": of("a", "ptp")}, containerd(0), `
10-a.conflist: selected: is the network of every pod: it sorts first
20-b.conflist: attached: is loaded beside 10-a.conflist: max_conf_num is 0, so that every pod gets both`},
		{"a bad one behind the limit", folder{"10-a.conflist": of("a", "bridge"), "20-b.conflist": ""}, containerd(1), `
10-a.conflist: selected: is the network of every pod: it sorts first
20-b.conflist: invalid: is refused: it is empty; containerd does not come to it while 10-a.conflist sorts before it, and loads nothing once it does`},
		{"a bad one disables the node", folder{"05-b.conflist": "", "10-a.conflist": of("a", "bridge"), "20-c.conf": of("c", "ptp")}, containerd(1), `
05-b.conflist: invalid: is refused: it is empty; containerd loads nothing at all because of it
10-a.conflist: shadowed: is shadowed by 05-b.conflist, which sorts before it and stops containerd from loading anything
20-c.conf: invalid: is refused: it has no type, which names the plugin; it has a list of plugins, and the name of such a file must end in .conflist
error: the runtime loads no network: DIR/05-b.conflist disables the node: it is empty; containerd loads nothing until it is corrected or renamed`},
		{"a bad one within the limit disables the node", folder{"10-a.conflist": of("a", "bridge"), "20-b.conflist": "", "30-c.conflist": of("c", "ptp")}, containerd(3), `
10-a.conflist: shadowed: is not used: 20-b.conflist stops containerd from loading anything
20-b.conflist: invalid: is refused: it is empty; containerd loads nothing at all because of it
30-c.conflist: shadowed: is not used: 20-b.conflist stops containerd from loading anything
error: the runtime loads no network: DIR/20-b.conflist disables the node: it is empty; containerd loads nothing until it is corrected or renamed`},
		{"a pipe", folder{"05-b.conflist": "|", "10-a.conflist": of("a", "bridge")}, containerd(1), `
05-b.conflist: invalid: is refused: it is a pipe, and whoever opens it waits for a writer: remove it; containerd loads nothing at all because of it
10-a.conflist: shadowed: is shadowed by 05-b.conflist, which sorts before it and stops containerd from loading anything
error: the runtime loads no network: DIR/05-b.conflist disables the node: it is a pipe, and whoever opens it waits for a writer: remove it; containerd loads nothing until it is corrected or renamed`},
		{"nothing to load", folder{"a.conflist.bak": of("a", "bridge")}, containerd(1), `
a.conflist.bak: not loadable: is not loaded: the name ends in .bak, and runtimes load .conf, .conflist and .json
error: the runtime loads no network: containerd finds no .conf, .conflist or .json in DIR`},
		{"a network without a name", folder{"10-a.conflist": of("", "bridge"), "20-b.conflist": of("a/b", "bridge")}, containerd(0), `
10-a.conflist: selected: is the network of every pod: it sorts first; but its network has no name, so that no pod can start
20-b.conflist: attached: is loaded beside 10-a.conflist: max_conf_num is 0, so that every pod gets both; but no pod can start, for the name of its network may have letters, digits and _.- only, and is "a/b"`},
		{"plugins need not be there", folder{"10-a.conflist": of("a", "missing")}, conflist.Runtime{Kind: conflist.Containerd, MaxConfNum: 1, BinDirs: []string{"/nowhere"}}, `
10-a.conflist: selected: is the network of every pod: it sorts first`},
	})
}

// Links are loadable wherever they lead; what they lead to is seen when read.
func TestLinks(t *testing.T) {
	run(t, []selecting{
		{"to a file", folder{"10-a.conflist": "->../a", "../a": of("a", "bridge")}, containerd(1), `
10-a.conflist: selected: is the network of every pod: it sorts first`},
		{"to nowhere", folder{"10-a.conflist": "->gone", "20-b.conflist": of("b", "bridge")}, containerd(1), `
10-a.conflist: invalid: is refused: it is a link to gone, which is not there: file does not exist; containerd loads nothing at all because of it
20-b.conflist: shadowed: is shadowed by 10-a.conflist, which sorts before it and stops containerd from loading anything
error: the runtime loads no network: DIR/10-a.conflist disables the node: it is a link to gone, which is not there: file does not exist; containerd loads nothing until it is corrected or renamed`},
		{"to a folder", folder{"10-a.conflist": "->.", "05-b.conflist": of("b", "bridge")}, containerd(1), `
05-b.conflist: selected: is the network of every pod: it sorts first
10-a.conflist: invalid: is refused: it is a link to a folder; containerd does not come to it while 05-b.conflist sorts before it, and loads nothing once it does`},
		{"to a device", folder{"10-a.conf": "->/dev/null", "05-b.conflist": of("b", "bridge")}, containerd(1), `
05-b.conflist: selected: is the network of every pod: it sorts first
10-a.conf: invalid: is refused: it is a device, not a file; containerd does not come to it while 05-b.conflist sorts before it, and loads nothing once it does`},
		{"to a pipe", folder{"10-a.conf": "->p", "p": "|", "05-b.conflist": of("b", "bridge")}, containerd(1), `
05-b.conflist: selected: is the network of every pod: it sorts first
10-a.conf: invalid: is refused: it is a pipe, and whoever opens it waits for a writer: remove it; containerd does not come to it while 05-b.conflist sorts before it, and loads nothing once it does
p: not loadable: is not loaded: the name has no extension`},
	})
}

func TestNotLoadable(t *testing.T) {
	run(t, []selecting{{"each its reason", folder{
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
net: not loadable: is a folder of drop-ins, whose .conf files add plugins to 10-a.conflist
whereabouts.d: not loadable: is not loaded: it is a folder
x.conflist: not loadable: is not loaded: it is a folder`}})
}
