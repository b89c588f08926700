// SPDX-License-Identifier: Apache-2.0

package report

import (
	"slices"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A State is the result of a check. Other than guard.State, it tells findings that count
// from those that are all minor.
type State string

// The states, from the best to the worst. A finding is worse than an unknown result.
const (
	Skipped  State = "skipped"  // it does not apply here
	Passed   State = "passed"   // no finding
	Repaired State = "repaired" // a finding that the repair removed
	Minor    State = "minor"    // findings that are harmless now
	Unknown  State = "unknown"  // the check could not tell
	Failed   State = "failed"   // at least one finding that counts
)

// States returns all states from the best to the worst.
func States() []State { return []State{Skipped, Passed, Repaired, Minor, Unknown, Failed} }

// StateOf returns the state of an outcome.
func StateOf(o guard.Outcome) State {
	switch o.State {
	case guard.Passed:
		return Passed
	case guard.Failed:
		if o.Minor() {
			return Minor
		}
		return Failed
	case guard.Repaired:
		return Repaired
	case guard.Skipped:
		return Skipped
	default:
		return Unknown
	}
}

// Worst returns the worst state of some checks; that of none is skipped.
func Worst(all []Check) State {
	state := Skipped
	for _, c := range all {
		if slices.Index(States(), c.State) > slices.Index(States(), state) {
			state = c.State
		}
	}
	return state
}
