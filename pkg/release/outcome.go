// SPDX-License-Identifier: Apache-2.0

package release

import (
	"encoding/json"
	"os"
	"slices"
)

// An Outcome is the result of a release, which guardctl writes to its standard output as
// JSON. The zero Outcome means that nothing was released.
type Outcome struct {
	Complete bool     `json:"complete"` // every plugin freed what it keeps outside the sandbox
	DryRun   bool     `json:"dryRun,omitempty"`
	Source   string   `json:"source"`           // the file with the chain
	Plugins  []Plugin `json:"plugins"`          // in the order of DEL: last first
	Left     []string `json:"left,omitempty"`   // what no plugin could remove, as clauses
	Reason   string   `json:"reason,omitempty"` // why no plugin was called, or would be

	// Verdict says whether the sandbox is alive. Evidence has the reasons, as clauses.
	Verdict  Verdict  `json:"verdict,omitempty"`
	Evidence []string `json:"evidence,omitempty"`
	// Already means that the attachment was released before, so no plugin was called.
	Already bool `json:"already,omitempty"`
	// Unrecorded is why the release could not be recorded; "" if it was.
	Unrecorded string `json:"unrecorded,omitempty"`
}

// A Plugin is the result for one plugin of the chain.
type Plugin struct {
	Type   string `json:"type"`
	Result Result `json:"result"`
	Note   string `json:"note,omitempty"` // why it failed or was skipped
}

// A Result says what was done with a plugin.
type Result string

// The results.
const (
	Released Result = "released" // its DEL succeeded
	Skipped  Result = "skipped"  // it keeps nothing outside the sandbox
	Failed   Result = "failed"   // its DEL failed; the runtime must try again
	Planned  Result = "planned"  // dry run: it would be called

	// NotCalled: it cleans up by address, and another pod may have the address.
	NotCalled Result = "not called"
	// Kept: its DEL succeeded, but it keeps the address; see AddressKeepers.
	Kept Result = "kept"
)

// A Verdict says whether a sandbox is alive. The zero Verdict means that it was not determined.
type Verdict string

// The verdicts.
const (
	Alive      Verdict = "alive"       // there is proof that it is alive
	Gone       Verdict = "gone"        // there is proof that it is not
	CannotTell Verdict = "cannot tell" // neither
)

// CleanedByAddress reports whether a plugin that cleans up by address was called.
func (o Outcome) CleanedByAddress() bool {
	return slices.ContainsFunc(o.Plugins, func(p Plugin) bool {
		return slices.Contains(CleanByAddress(), p.Type) && (p.Result == Released || p.Result == Failed)
	})
}

// KeepsAddress reports whether a plugin kept the address although its DEL succeeded.
func (o Outcome) KeepsAddress() bool {
	return slices.ContainsFunc(o.Plugins, func(p Plugin) bool { return p.Result == Kept })
}

// CleanByAddress returns the types of the plugins whose DEL removes rules by the
// pod's address or host ports, which they take from prevResult and runtimeConfig
// (containernetworking/plugins v1.9.1, plugins/meta/firewall and …/portmap). Once the
// address is free, a second DEL would remove the rules of the next pod that gets it.
func CleanByAddress() []string { return []string{"firewall", "portmap"} }

// An AddressKeeper is a plugin whose DEL succeeds with an empty CNI_NETNS, but keeps the
// pod's address in a database of its own.
type AddressKeeper struct {
	Type     string
	Database string // the file that has the address
	Remedy   string // how to free the address, as a clause
}

// AddressKeepers returns the plugins that keep the address if there is no namespace.
//
// cni-kindnet (kubernetes-sigs/kindnet, cmd/cni-kindnet/main.go, cmdDel) returns at once
// if CNI_NETNS is empty. Nothing else deletes the container's row from its table "pods".
func AddressKeepers() []AddressKeeper {
	return []AddressKeeper{{
		Type:     "cni-kindnet",
		Database: "/var/lib/cni-kindnet/cni.db",
		Remedy:   `delete the row in the table "pods" that has this container_id`,
	}}
}

// NeedNamespace returns the types of the plugins whose DEL does not work with an empty
// CNI_NETNS (containernetworking/plugins v1.9.1): sbr fails, because it derives its lock
// from the path, and host-device returns before it frees its address. If the runtime
// calls DEL without a namespace, which the spec allows, both leak the address.
func NeedNamespace() []string { return []string{"host-device", "sbr"} }

// NeedsNamespace reports whether the attachment's chain, as the runtime's cache has it,
// contains a plugin of NeedNamespace. It reports false if the cache has no entry.
func (r Request) NeedsNamespace() bool {
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
