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
	note          string
	planned, done release.Result
	release       func(p *libcni.PluginConfig, run func(*libcni.PluginConfig) error) error
}

// specials gives them by type: those of release.NeedNamespace.
func specials() map[string]special {
	return map[string]special{
		"sbr": {
			note:    "its rules and routes are in the sandbox and go with it",
			planned: release.Skipped,
			done:    release.Skipped,
			release: func(*libcni.PluginConfig, func(*libcni.PluginConfig) error) error { return nil },
		},
		"host-device": {
			note:    "only its IPAM was called; the kernel gives a device back when its namespace ends",
			planned: release.Planned,
			done:    release.Released,
			release: releaseIPAM,
		},
	}
}

// Specials gives the types of plugins that are released in a way of their own.
func Specials() []string { return slices.Sorted(maps.Keys(specials())) }

// releaseIPAM calls the plugin's IPAM plugin as the plugin would: it is given the
// whole configuration of its caller.
func releaseIPAM(p *libcni.PluginConfig, run func(*libcni.PluginConfig) error) error {
	if p.Network.IPAM.Type == "" {
		return nil
	}
	network := *p.Network
	network.Type = network.IPAM.Type
	return run(&libcni.PluginConfig{Network: &network, Bytes: p.Bytes})
}
