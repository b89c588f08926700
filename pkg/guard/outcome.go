// SPDX-License-Identifier: Apache-2.0

package guard

import "slices"

// A State is what became of a check in one run. The zero State is Unknown: a
// check that was never judged has not passed.
type State uint8

const (
	Unknown  State = iota // the probe could not tell
	Passed                // no finding
	Failed                // findings, and they are still there
	Repaired              // findings, gone after the repair
	Skipped               // does not apply here, or a check that it needs has a finding
)

// String gives the state in lower case, as logs and JSON have it.
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

// MarshalText gives String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// An Outcome is what one run made of one check.
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

// Refuses reports whether the outcome stops the call: findings that are all
// minor do not.
func (o Outcome) Refuses() bool {
	return o.State == Failed && o.Policy == Enforce && !o.Minor()
}

// Minor reports whether there are findings, and all of them are minor.
func (o Outcome) Minor() bool {
	return len(o.Findings) > 0 && !slices.ContainsFunc(o.Findings, func(f Finding) bool { return !f.Minor })
}

// Noteworthy reports whether an operator should hear of the outcome: findings,
// unknowns, and repairs that are not routine.
func (o Outcome) Noteworthy() bool {
	return o.State == Failed || o.State == Unknown || o.State == Repaired && !o.Quiet
}
