// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A Report is what one run made of all its checks, in the order of the suite.
// The zero Report has run nothing and refuses nothing.
type Report struct {
	Stage    Stage
	Outcomes []Outcome
}

// Refusal gives the first outcome that stops the call, or nil.
func (r Report) Refusal() *Outcome {
	for i := range r.Outcomes {
		if r.Outcomes[i].Refuses() {
			return &r.Outcomes[i]
		}
	}
	return nil
}

// Noteworthy gives the outcomes that an operator should hear of.
func (r Report) Noteworthy() []Outcome {
	var out []Outcome
	for _, o := range r.Outcomes {
		if o.Noteworthy() {
			out = append(out, o)
		}
	}
	return out
}

// String renders the report for people, one line for each check and one,
// indented, for each finding. A check whose findings are all minor is "minor". The
// text ends in a newline unless nothing ran.
func (r Report) String() string {
	var b strings.Builder
	for _, o := range r.Outcomes {
		state := o.State.String()
		if o.State == Failed && o.Minor() {
			state = "minor"
		}
		printable.Fprintf(&b, "%-8s %s\n", state, o.Check)
		for _, f := range o.Findings {
			printable.Fprintf(&b, "         %s\n", f)
		}
		if o.Err != nil {
			printable.Fprintf(&b, "         %s\n", o.Err)
		}
		if o.Note != "" {
			printable.Fprintf(&b, "         %s\n", o.Note)
		}
		if o.State == Failed {
			printable.Fprintf(&b, "         remedy: %s\n", strings.Join(o.Remedies(), " "))
		}
	}
	return b.String()
}

// MarshalJSON gives {"stage", "checks": [{"check", "state", "policy",
// "findings", "error", "note", "remedy"}]}; what is empty is left out.
func (r Report) MarshalJSON() ([]byte, error) {
	type outcome struct {
		Check    string    `json:"check"`
		State    State     `json:"state"`
		Policy   Policy    `json:"policy"`
		Findings []Finding `json:"findings,omitempty"`
		Error    string    `json:"error,omitempty"`
		Note     string    `json:"note,omitempty"`
		Remedy   string    `json:"remedy,omitempty"`
	}
	checks := make([]outcome, len(r.Outcomes))
	for i, o := range r.Outcomes {
		checks[i] = outcome{Check: o.Check, State: o.State, Policy: o.Policy, Findings: o.Findings, Note: o.Note}
		if o.Err != nil {
			checks[i].Error = o.Err.Error()
		}
		if o.State == Failed {
			checks[i].Remedy = strings.Join(o.Remedies(), " ")
		}
	}
	return json.Marshal(struct {
		Stage  string    `json:"stage"`
		Checks []outcome `json:"checks"`
	}{r.Stage.String(), checks})
}
