// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A dump of some kinds has nothing of others: no link, and nothing that leads over
// one. A kind may be named twice, and may be one that this kernel does not know.
func TestLiveTunnelDumpOfKinds(t *testing.T) {
	v := view(t, sandbox(t, "dump"))
	checktest.Shell(t, flannel)
	for range 2 {
		all, err := v.TunnelDump()
		must(t, err)
		for name, c := range map[string]struct {
			kinds []string
			want  string
		}{
			"that there is": {[]string{"vxlan"}, dumpText(all)},
			"twice":         {[]string{"vxlan", "vxlan"}, dumpText(all)},
			"with others":   {[]string{"gre", "vxlan", "wireguard"}, dumpText(all)},
			"no tunnel":     {[]string{"veth", "none"}, ""},
			"others":        {[]string{"geneve"}, ""},
		} {
			d, err := v.TunnelDump(c.kinds...)
			must(t, err)
			if got := dumpText(d); got != c.want {
				t.Errorf("strict %t, %s: the dump is\n%s\nwant\n%s", v.Strict(), name, got, c.want)
			}
			if foreign := slices.ContainsFunc(d.Links, func(l netstate.TunnelLink) bool { return !slices.Contains(c.kinds, l.Kind) }); foreign {
				t.Errorf("%s: the links are %+v", name, d.Links)
			}
		}
		must(t, v.ForgetStrict())
	}
}

// The pods of a node have a link each, of which the kernel need not speak.
func TestLinksAreFilteredInTheKernel(t *testing.T) {
	v := view(t, sandbox(t, "dump"))
	checktest.Shell(t, flannel)
	if n, err := v.LinkAnswers("vxlan"); err != nil || n != 4 {
		t.Errorf("the kernel speaks of %d links, want those that are vxlan, error %v", n, err)
	}
}

func TestFakeTunnelDumpOfKinds(t *testing.T) {
	f := parse(t, `
link tunl0 index 3 kind ipip up
link flannel.1 index 4 kind vxlan up
route 10.244.1.0/24 via 192.0.2.2 dev tunl0 onlink
route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
route blackhole 10.244.0.0/26
neigh 10.244.2.0 dev flannel.1 mac 0a:58:0a:f4:02:00
fdb 0a:58:0a:f4:02:00 dev flannel.1 dst 192.0.2.3
`)
	d, err := f.TunnelDump("ipip")
	must(t, err)
	if len(d.Links) != 1 || len(d.Routes) != 1 || len(d.Neighbours)+len(d.FDB) != 0 || len(d.Own) != 1 {
		t.Errorf("of kind ipip there is %+v", d)
	}
	if d, err = f.TunnelDump(); err != nil || len(d.Links) != 2 || len(d.Routes) != 2 || len(d.Neighbours)+len(d.FDB) != 2 {
		t.Errorf("of all kinds there is %+v, error %v", d, err)
	}
}
