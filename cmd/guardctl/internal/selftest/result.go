// SPDX-License-Identifier: Apache-2.0

package selftest

import "fmt"

// A State is how a step went.
type State string

// The states. Only Failed is a finding; Unclear is neither good nor bad.
const (
	OK      State = "ok"
	Failed  State = "failed"
	Skipped State = "skipped"
	Unclear State = "could not tell"
)

// A Result is what a step saw.
type Result struct {
	Step  string `json:"step"`
	State State  `json:"state"`
	Saw   string `json:"saw"`             // what happened, or why it was skipped
	Means string `json:"means,omitempty"` // for the node, and what to do
}

// What a step gives: its runner adds the name.
func ok(means, format string, args ...any) Result {
	return Result{State: OK, Saw: fmt.Sprintf(format, args...), Means: means}
}

func failed(means, format string, args ...any) Result {
	return Result{State: Failed, Saw: fmt.Sprintf(format, args...), Means: means}
}

func skipped(format string, args ...any) Result {
	return Result{State: Skipped, Saw: fmt.Sprintf(format, args...)}
}

func unclear(means, format string, args ...any) Result {
	return Result{State: Unclear, Saw: fmt.Sprintf(format, args...), Means: means}
}

// Verdict sums the results up: a finding outweighs what could not be told.
func Verdict(results []Result) State {
	verdict := OK
	for _, r := range results {
		if r.State == Failed {
			return Failed
		}
		if r.State == Unclear {
			verdict = Unclear
		}
	}
	return verdict
}
