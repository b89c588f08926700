// SPDX-License-Identifier: Apache-2.0

// Package report shows what became of the scenarios: as a table for a terminal,
// as JSON, and as the page docs/conformance.md.
package report

import (
	"time"

	"github.com/cni-guard/cni-guard/conformance/claim"
)

// A Run is a scenario played once.
type Run struct {
	claim.Verdict
	Sightings []claim.Sighting `json:"sightings,omitempty"`
	Doctor    []string         `json:"doctor,omitempty"` // what guardctl doctor found afterwards, where it was asked
	Took      time.Duration    `json:"took"`
	Log       []string         `json:"log,omitempty"` // what matters of the runtime's, where it broke
}

// A Cell is a scenario on a runtime.
type Cell struct {
	Scenario string `json:"scenario"`
	Runtime  string `json:"runtime"`
	Without  Run    `json:"without"`
	With     Run    `json:"with"`
}

// Broken reports whether the cell shows anything but what it should.
func (c Cell) Broken() bool {
	return c.Without.Word == claim.Broken || c.With.Word == claim.Broken
}

// A Report is a whole suite.
type Report struct {
	Scenarios []Scenario    `json:"scenarios"`
	Runtimes  []Runtime     `json:"runtimes"`
	Cells     []Cell        `json:"cells"`
	Took      time.Duration `json:"took"`
}

// A Scenario is what the report says of one.
type Scenario struct {
	Name     string                   `json:"name"`
	Incident string                   `json:"incident"`
	Harms    []claim.Claim            `json:"harms,omitempty"`
	HarmsOn  map[string][]claim.Claim `json:"harmsOn,omitempty"`  // instead, on some runtimes
	LimitsOn map[string][]claim.Claim `json:"limitsOn,omitempty"` // instead, on some runtimes
	Holds    []claim.Claim            `json:"holds"`
	Limits   []claim.Claim            `json:"limits,omitempty"` // untrue with the guard, too
}

// A Runtime is what the report says of one.
type Runtime struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Broken counts the cells that are.
func (r Report) Broken() int {
	n := 0
	for _, c := range r.Cells {
		if c.Broken() {
			n++
		}
	}
	return n
}

// text is the cell of a table.
func (r Report) text(scenario, runtime string) string {
	for _, c := range r.Cells {
		if c.Scenario != scenario || c.Runtime != runtime {
			continue
		}
		if c.Without.Word == claim.NotPlayed {
			return string(claim.NotPlayed)
		}
		return string(c.Without.Word) + " / " + string(c.With.Word)
	}
	return ""
}
