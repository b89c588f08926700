// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/chain"
	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// Our loopback takes the reference one's place, so a runtime must not be able to
// tell them apart by ADD or CHECK.
func TestLoopbackLikeReference(t *testing.T) {
	for _, version := range []string{"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		for name, prev := range map[string]map[string]any{"no result": nil, "result": prevResult(version)} {
			conf := chain.Plugin{"type": "loopback", "name": "cni-loopback", "cniVersion": version}
			if prev != nil {
				conf = conf.With("prevResult", prev)
			}
			t.Run(version+"/"+name, func(t *testing.T) {
				reference := observeLoopback(t, rigtest.RefDir(t), conf)
				ours := observeLoopback(t, rigtest.GuardDir(t), conf)
				if !reflect.DeepEqual(reference, ours) {
					t.Errorf("reference: %+v\nours:      %+v", reference, ours)
				}
			})
		}
	}
}

// An observed is what a runtime sees of one, and what becomes of lo.
type observed struct {
	added                    any
	upAfterAdd               bool
	checkWhileUp, checkAfter bool // CHECK succeeded with lo up, and with lo down
	checkOnFile, addOnFile   bool // the path is no namespace
	addOnNothing             bool // the path does not exist
}

// observeLoopback calls a loopback plugin in a fresh sandbox, always of the same
// path, as results name it.
func observeLoopback(t *testing.T, dir string, conf chain.Plugin) observed {
	t.Helper()
	rigtest.New(t)
	plugin := filepath.Join(dir, "loopback")
	pin, err := node.NewPin("cni-subject")
	if err != nil {
		t.Fatal(err)
	}
	var o observed
	o.added = call(t, plugin, "ADD", pin.Path, conf).decode(t)
	o.upAfterAdd = loUp(t, pin.Path)
	o.checkWhileUp = call(t, plugin, "CHECK", pin.Path, conf).ok
	setDown(t, pin.Path)
	o.checkAfter = call(t, plugin, "CHECK", pin.Path, conf).ok
	if err := pin.Unmount(); err != nil {
		t.Fatal(err)
	}
	o.addOnFile = call(t, plugin, "ADD", pin.Path, conf).ok
	o.checkOnFile = call(t, plugin, "CHECK", pin.Path, conf).ok
	if err := pin.Remove(); err != nil {
		t.Fatal(err)
	}
	o.addOnNothing = call(t, plugin, "ADD", pin.Path, conf).ok
	return o
}

func loUp(t *testing.T, netns string) bool {
	t.Helper()
	f, err := node.Look(netns)
	if err != nil {
		t.Fatal(err)
	}
	return f.LoUp
}

func setDown(t *testing.T, netns string) {
	t.Helper()
	if err := node.SetLoDown(netns); err != nil {
		t.Fatal(err)
	}
}

// prevResult is a result of a plugin before loopback, as the version has it.
func prevResult(version string) map[string]any {
	switch version {
	case "0.1.0", "0.2.0":
		return map[string]any{"cniVersion": version, "ip4": map[string]any{"ip": "10.88.0.9/24", "gateway": "10.88.0.1"}}
	case "0.3.0", "0.3.1", "0.4.0":
		return map[string]any{
			"cniVersion": version,
			"interfaces": []any{map[string]any{"name": "eth0", "mac": "02:00:00:00:00:09", "sandbox": "/run/netns/cni-subject"}},
			"ips":        []any{map[string]any{"version": "4", "address": "10.88.0.9/24", "gateway": "10.88.0.1", "interface": 0}},
			"dns":        map[string]any{"nameservers": []any{"10.96.0.10"}},
		}
	}
	return map[string]any{
		"cniVersion": version,
		"interfaces": []any{map[string]any{"name": "eth0", "mac": "02:00:00:00:00:09", "sandbox": "/run/netns/cni-subject"}},
		"ips":        []any{map[string]any{"address": "10.88.0.9/24", "gateway": "10.88.0.1", "interface": 0}},
		"routes":     []any{map[string]any{"dst": "0.0.0.0/0"}},
	}
}
