// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// A release is one of the spec that can have a conflist, and what libcni does
// in it.
type release struct {
	version     string
	check       bool // CHECK came with 0.4.0
	statusAndGC bool // STATUS and GC came with 1.1.0
}

func releases() []release {
	return []release{
		{version: "0.3.0"},
		{version: "0.3.1"},
		{version: "0.4.0", check: true},
		{version: "1.0.0", check: true},
		{version: "1.1.0", check: true, statusAndGC: true},
	}
}

// Every primary plugin in every release, with all that chains between it and
// the guard; sbr on its own, as the primary's CHECK does not bear it.
func TestChain(t *testing.T) {
	for _, primary := range []string{"ptp", "bridge", "macvlan"} {
		for _, rel := range releases() {
			t.Run(primary+"/"+rel.version, func(t *testing.T) {
				newPass(t, rel, primary, "portmap", "tuning", "firewall", "bandwidth").all()
			})
			t.Run(primary+"+sbr/"+rel.version, func(t *testing.T) {
				newPass(t, rel, primary, "sbr").all()
			})
		}
	}
}

// limit returns why reference plugins v1.9.1 cannot have a plugin behind a primary
// in a release, or "".
func limit(rel release, primary, chained string) string {
	switch {
	case chained == "firewall" && !rel.check:
		return "supports 0.4.0 and newer only"
	case chained == "bandwidth" && primary == "macvlan":
		return "limits veth pairs only, and macvlan makes none"
	}
	return ""
}

// newPass makes a pass with the plugins that can be had.
func newPass(t *testing.T, rel release, primary string, chained ...string) *pass {
	t.Helper()
	r := rigtest.New(t)
	plugins := []chain.Plugin{plugin(primary, r.HostLocal())}
	sbr := false
	for _, name := range chained {
		if why := limit(rel, primary, name); why != "" {
			t.Logf("without %s: it %s", name, why)
			continue
		}
		plugins = append(plugins, plugin(name, nil))
		sbr = sbr || name == "sbr"
	}
	pin, err := node.NewPin("cni-subject")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pin.Remove() })
	return &pass{
		T: t, Rig: r, rel: rel, sbr: sbr,
		runtime: r.Guarded(rel.version, plugins...),
		pod:     chain.Pod{ID: "subject", Netns: pin.Path, Port: 8080},
	}
}

// plugin makes one by name.
func plugin(name string, ipam chain.Plugin) chain.Plugin {
	switch name {
	case "ptp":
		return chain.PTP(ipam)
	case "bridge":
		return chain.Bridge(ipam)
	case "macvlan":
		return chain.Macvlan(ipam)
	case "portmap":
		return chain.Portmap()
	case "tuning":
		return chain.Tuning()
	case "firewall":
		return chain.Firewall()
	case "bandwidth":
		return chain.Bandwidth()
	case "sbr":
		return chain.SBR()
	}
	panic("no plugin " + name)
}
