// SPDX-License-Identifier: Apache-2.0

package release

import (
	"encoding/json"
	"os"
	"slices"
)

// NeedNamespace gives the types of the plugins whose DEL does not do its work
// with an empty CNI_NETNS (containernetworking/plugins v1.9.1): sbr fails, for it
// makes its lock from the path, and host-device returns before it gives its
// address back. A DEL without a namespace, which the spec allows, stops at the
// first, and the address is lost with either.
func NeedNamespace() []string { return []string{"host-device", "sbr"} }

// HelpNeeded reports whether the attachment's chain has a plugin that needs the
// namespace, by the runtime's cache. Without an entry there it reports false.
func (r Request) HelpNeeded() bool {
	data, err := os.ReadFile(r.entry(r.Cache()))
	if err != nil {
		return false
	}
	var cached struct {
		Config []byte `json:"config"`
	}
	type plugin struct {
		Type string `json:"type"`
	}
	var list struct {
		Plugins []plugin `json:"plugins"`
		plugin           // a single configuration
	}
	if json.Unmarshal(data, &cached) != nil || json.Unmarshal(cached.Config, &list) != nil {
		return false
	}
	return slices.ContainsFunc(append(list.Plugins, list.plugin), func(p plugin) bool {
		return slices.Contains(NeedNamespace(), p.Type)
	})
}
