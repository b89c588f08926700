// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"maps"
	"slices"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/release"
)

// A special is how to release a plugin whose DEL does not do its work with an
// empty CNI_NETNS.
type special struct {
	note string
	call func(*libcni.PluginConfig) string // the plugin to call in its place; "" for none
}

// specials gives them by type: those of release.NeedNamespace.
func specials() map[string]special {
	return map[string]special{
		"sbr": {
			note: "its rules and routes are in the sandbox and go with it",
			call: func(*libcni.PluginConfig) string { return "" },
		},
		// IPAM plugins are given the whole configuration of their caller.
		"host-device": {
			note: "only its IPAM is called; the kernel gives a device back when its namespace ends",
			call: func(p *libcni.PluginConfig) string { return p.Network.IPAM.Type },
		},
	}
}

// Specials gives the types of plugins that are released in a way of their own.
func Specials() []string { return slices.Sorted(maps.Keys(specials())) }

// planFor gives the plugin to call for p, and what to report of p when there is
// none to call.
func planFor(p *libcni.PluginConfig) (call string, plan release.Plugin) {
	call, plan = p.Network.Type, release.Plugin{Type: p.Network.Type, Result: release.Skipped}
	if s, ok := specials()[p.Network.Type]; ok {
		call, plan.Note = s.call(p), s.note
	}
	return call, plan
}
