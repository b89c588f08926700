// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Deadline bounds each probe and each repair. It is far beyond what a probe of
// the local kernel takes (microseconds) and far below the patience of a
// runtime (minutes).
const Deadline = 2 * time.Second

// Run runs the checks of the suite that belong to the stage, in order, and
// reports on each. It returns though a probe panics or hangs: a probe that
// outlives its deadline is abandoned, and its answer discarded.
func Run[T any](ctx context.Context, suite []*Check[T], stage Stage, set Settings, target *T) Report {
	report := Report{Stage: stage}
	failed := make(map[*Check[T]]bool, len(suite))
	w := newWorker()
	defer func() { close(w) }()
	for _, c := range suite {
		policy := set.policy(c.Name, c.Default)
		if c.When&stage == 0 || policy == Off {
			continue
		}
		o := Outcome{Check: c.Name, Policy: policy, Remedy: c.Remedy, Code: c.Code, StatusCode: c.StatusCode, Routine: c.Routine}
		if need := failedNeed(c, failed); need != "" {
			o.State, o.Note = Skipped, "skipped because "+need+" has a finding"
		} else {
			r := runner[T]{check: c, target: target, worker: &w}
			r.run(ctx, &o, stage.MayRepair() && set.mayRepair(c.Name))
		}
		failed[c] = o.State == Failed && !o.Minor()
		report.Outcomes = append(report.Outcomes, o)
	}
	return report
}

// failedNeed names the first check with a finding among those that c needs.
func failedNeed[T any](c *Check[T], failed map[*Check[T]]bool) string {
	for _, need := range c.Needs {
		if failed[need] {
			return need.Name
		}
	}
	return ""
}

// A runner takes one check from its probe to its outcome.
type runner[T any] struct {
	check  *Check[T]
	target *T
	worker *worker
}

// run probes, repairs where that is allowed, and probes again: only the second
// look tells whether the repair worked.
func (r runner[T]) run(ctx context.Context, o *Outcome, mayRepair bool) {
	r.probe(ctx, o)
	if o.State != Failed || r.check.Repair == nil || !mayRepair {
		return
	}
	before := o.Findings
	_, repairErr := bounded(ctx, r.worker, "repair", func(ctx context.Context) (struct{}, error) {
		return struct{}{}, r.check.Repair(ctx, r.target)
	})
	r.probe(ctx, o)
	switch o.State {
	case Passed:
		o.State, o.Findings = Repaired, before
	case Unknown:
		o.Err = fmt.Errorf("tell whether the repair worked (before it: %s): %w", clauses(before), o.Err)
	}
	if o.State != Repaired && repairErr != nil {
		o.Err = errors.Join(o.Err, fmt.Errorf("repair %s: %w", r.check.Name, repairErr))
	}
}

// probe runs the probe once and writes what it said into the outcome.
func (r runner[T]) probe(ctx context.Context, o *Outcome) {
	o.Findings, o.Err = bounded(ctx, r.worker, "probe", func(ctx context.Context) ([]Finding, error) {
		return r.check.Probe(ctx, r.target)
	})
	switch {
	case o.Err != nil:
		o.State = Unknown
	case len(o.Findings) > 0:
		o.State = Failed
	default:
		o.State = Passed
	}
}
