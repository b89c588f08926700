// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A State is the result of a check in one run. The zero State is Unknown: a check that
// did not run has not passed.
type State uint8

const (
	Unknown  State = iota // the probe could not tell
	Passed                // no finding
	Failed                // findings, and they are still there
	Repaired              // findings, gone after the repair
	Skipped               // does not apply here, or a check that it needs has a finding
)

// String returns the state in lower case, as in logs and JSON.
func (s State) String() string {
	switch s {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	case Repaired:
		return "repaired"
	case Skipped:
		return "skipped"
	default:
		return "unknown"
	}
}

// MarshalText returns String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An Outcome is the result of one check in one run, with its findings.
type Outcome struct {
	Check    string
	State    State
	Policy   Policy
	Findings []Finding // Failed: what is there; Repaired: what was there
	Err      error     // Unknown: why; Failed: why the repair did not work, or a later look
	Note     string    // Skipped: why
	Remedy   string

	Code, StatusCode uint // as in Check
	Quiet            bool // as in Check

	RepairTried bool // whatever became of it
	// Mended are, of a check that has Failed, the findings that the repair removed. They
	// have a Change.
	Mended []Finding
}

// Refuses reports whether the outcome refuses the call. Minor findings do not.
func (o Outcome) Refuses() bool {
	return o.State == Failed && o.Policy == Enforce && !o.Minor()
}

// Minor reports whether there are findings, and all of them are minor.
func (o Outcome) Minor() bool {
	return len(o.Findings) > 0 && !slices.ContainsFunc(o.Findings, func(f Finding) bool { return !f.Minor })
}

// Noteworthy reports whether the outcome is worth a log line: findings, unknowns, and
// repairs that are not quiet.
func (o Outcome) Noteworthy() bool {
	return o.State == Failed || o.State == Unknown || o.State == Repaired && !o.Quiet
}

// A Report holds the outcomes of one run, in the order of the suite. The zero Report has
// none and refuses nothing.
type Report struct {
	Stage    Stage
	Outcomes []Outcome
}

// Refusal returns the first outcome that refuses the call, or nil.
func (r Report) Refusal() *Outcome {
	for i := range r.Outcomes {
		if r.Outcomes[i].Refuses() {
			return &r.Outcomes[i]
		}
	}
	return nil
}

// Noteworthy returns the outcomes that are worth a log line.
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

// MarshalJSON returns {"stage", "checks": [{"check", "state", "policy",
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

// Error codes of CNI answers (SPEC 1.1, section "Error").
const (
	// CodeCheck is a refusal by a check that names no code of its own: the
	// first of the codes that the spec leaves to plugins.
	CodeCheck uint = 100
	// CodeUnavailable answers STATUS: no ADD can work.
	CodeUnavailable uint = 50
	// CodeImpaired answers STATUS: pods that run have limited connectivity.
	CodeImpaired uint = 51
)

// CNIError returns the refusal as a CNI error: msg is one sentence with the check, object
// and problem; details say what to do. It returns nil if nothing refuses the call.
func (r Report) CNIError() *types.Error {
	o := r.Refusal()
	if o == nil {
		return nil
	}
	refusal := *o
	refusal.Findings = slices.DeleteFunc(slices.Clone(o.Findings), func(f Finding) bool { return f.Minor })
	return types.NewError(refusal.code(r.Stage), refusal.Sentence(), refusal.Advice())
}

func (o Outcome) code(stage Stage) uint {
	code, byDefault := o.Code, CodeCheck
	if stage == Status {
		code, byDefault = o.StatusCode, CodeImpaired
	}
	if code == 0 {
		return byDefault
	}
	return code
}

// Sentence returns what is wrong: "host-loopback: node/lo is down".
func (o Outcome) Sentence() string {
	return o.Check + ": " + clauses(o.Findings)
}

// Changes returns what the repair did, or tried, for each finding that says so.
func (o Outcome) Changes() []string {
	var all []string
	for _, f := range o.Findings {
		if f.Change != "" {
			all = append(all, f.Change)
		}
	}
	return all
}

// clauses returns the findings, joined by commas.
func clauses(findings []Finding) string {
	all := make([]string, len(findings))
	for i, f := range findings {
		all[i] = f.String()
	}
	return strings.Join(all, ", ")
}

// Advice returns what to do: the remedy of each finding, after the evidence and the impact,
// why a repair did not work, and where to read more.
func (o Outcome) Advice() string {
	var all []string
	if o.Err != nil {
		all = append(all, o.Err.Error()+".")
	}
	if details := o.Details(); details != "" {
		all = append(all, details+".")
	}
	return strings.Join(append(append(all, o.Remedies()...), "Read more: guardctl explain "+o.Check), " ")
}

// Details returns the evidence and the impact of the findings, each clause once; "" if the
// problems say it all.
func (o Outcome) Details() string {
	var all []string
	for _, f := range o.Findings {
		for _, clause := range []string{f.Evidence, f.Impact} {
			if clause != "" && !slices.Contains(all, clause) {
				all = append(all, clause)
			}
		}
	}
	return strings.Join(all, "; ")
}

// Remedies returns the remedies of the findings, each once. A finding without one has the
// remedy of the check.
func (o Outcome) Remedies() []string {
	if len(o.Findings) == 0 {
		return []string{o.Remedy}
	}
	var all []string
	for _, f := range o.Findings {
		remedy := f.Remedy
		if remedy == "" {
			remedy = o.Remedy
		}
		if !slices.Contains(all, remedy) {
			all = append(all, remedy)
		}
	}
	return all
}
