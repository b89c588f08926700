// SPDX-License-Identifier: Apache-2.0

package release

// An Outcome is what a release made of the chain, as JSON on guardctl's
// standard output. The zero Outcome has released nothing.
type Outcome struct {
	Complete bool     `json:"complete"` // every plugin gave back what it keeps outside the sandbox
	DryRun   bool     `json:"dryRun,omitempty"`
	Source   string   `json:"source"`           // the file that named the chain
	Plugins  []Plugin `json:"plugins"`          // in the order of DEL: last first
	Left     []string `json:"left,omitempty"`   // what none of them could clean, clauses for people
	Reason   string   `json:"reason,omitempty"` // why nothing was tried
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
)
