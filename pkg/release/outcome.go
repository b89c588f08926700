// SPDX-License-Identifier: Apache-2.0

package release

import "slices"

// An Outcome is what a release made of the chain, as JSON on guardctl's
// standard output. The zero Outcome has released nothing.
type Outcome struct {
	Complete bool     `json:"complete"` // every plugin gave back what it keeps outside the sandbox
	DryRun   bool     `json:"dryRun,omitempty"`
	Source   string   `json:"source"`           // the file that named the chain
	Plugins  []Plugin `json:"plugins"`          // in the order of DEL: last first
	Left     []string `json:"left,omitempty"`   // what none of them could clean, clauses for people
	Reason   string   `json:"reason,omitempty"` // why nothing was tried, or would be

	// Verdict says whether the sandbox lives, by the Evidence: clauses for people.
	Verdict  Verdict  `json:"verdict,omitempty"`
	Evidence []string `json:"evidence,omitempty"`
	// Already says that the attachment was released before, so that no plugin was called.
	Already bool `json:"already,omitempty"`
	// Unrecorded says why the release could not be marked; "" where it was.
	Unrecorded string `json:"unrecorded,omitempty"`
}

// A Plugin is what became of one plugin of the chain.
type Plugin struct {
	Type   string `json:"type"`
	Result Result `json:"result"`
	Note   string `json:"note,omitempty"` // why it failed or was skipped
}

// A Result is a word for what became of a plugin.
type Result string

// The results.
const (
	Released Result = "released" // its DEL succeeded
	Skipped  Result = "skipped"  // it keeps nothing outside the sandbox
	Failed   Result = "failed"   // its DEL failed; the runtime must try again
	Planned  Result = "planned"  // dry run: it would be called

	// NotCalled: it cleans up by address, and the address may be another pod's.
	NotCalled Result = "not called"
	// Kept: its DEL succeeded, and it keeps the address all the same; see Keepers.
	Kept Result = "kept"
)

// A Verdict says whether a sandbox lives. The zero Verdict was not asked for.
type Verdict string

// The verdicts.
const (
	Alive      Verdict = "alive"       // there is proof that it lives
	Gone       Verdict = "gone"        // there is proof that it does not
	CannotTell Verdict = "cannot tell" // neither
)

// CleanedByAddress reports whether a plugin of CleanByAddress was called.
func (o Outcome) CleanedByAddress() bool {
	return slices.ContainsFunc(o.Plugins, func(p Plugin) bool {
		return slices.Contains(CleanByAddress(), p.Type) && (p.Result == Released || p.Result == Failed)
	})
}
