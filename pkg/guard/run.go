// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Deadline is how long a call of the plugin may take for all that it looks at, and
// how long Run waits for each check. It is far beyond what a probe of the local
// kernel takes (microseconds) and far below the patience of a runtime (minutes).
const Deadline = 3 * time.Second

// A Pass is one run of the checks of a suite that belong to a stage. It runs on the
// goroutine of its caller, without a deadline of its own; its Report can be taken
// by another goroutine at any time. A program that answers once, and ends with its
// answer, needs no goroutine per check to survive one that hangs: its watchdog
// takes the report as it is, answers, and exits.
type Pass[T any] struct {
	stage Stage
	turns []*turn[T]
}

// NewPass returns a Pass that has not begun.
func NewPass[T any](suite []*Check[T], stage Stage, set Settings) *Pass[T] {
	p := &Pass[T]{stage: stage, turns: make([]*turn[T], 0, len(suite))}
	for _, c := range suite {
		policy := set.policy(c.Name, c.Default)
		if c.When&stage != 0 && policy != Off {
			p.turns = append(p.turns, newTurn(c, policy, stage.MayRepair() && set.mayRepair(c.Name)))
		}
	}
	return p
}

// Run runs the checks in order. Those that are left when the context is done are
// unknown. It may be called once.
func (p *Pass[T]) Run(ctx context.Context, target *T) Report {
	p.each(ctx, func(t *turn[T]) { t.run(ctx, target) })
	return p.Report(context.Cause(ctx))
}

// each calls f with the turns of the checks that are not skipped, until the
// context is done.
func (p *Pass[T]) each(ctx context.Context, f func(*turn[T])) {
	failed := make(map[string]bool, len(p.turns))
	for _, t := range p.turns {
		if ctx.Err() != nil {
			return
		}
		if need := failedNeed(t.check, failed); need != "" {
			t.skip(need)
			continue
		}
		f(t)
		o := t.soFar(errNoAnswer)
		failed[t.check.Name] = o.State == Failed && !o.Minor()
	}
}

// Report returns what is certain by now. A check that has no outcome yet is unknown
// for the reason that why gives, unless its probe has handed over findings (Hold).
func (p *Pass[T]) Report(why error) Report {
	if why == nil {
		why = errNoAnswer
	}
	report := Report{Stage: p.stage}
	if len(p.turns) == 0 {
		return report
	}
	report.Outcomes = make([]Outcome, len(p.turns))
	for i, t := range p.turns {
		report.Outcomes[i] = t.soFar(why)
	}
	return report
}

var errNoAnswer = errors.New("no answer yet")

// failedNeed names the first check with a finding among those that c needs.
func failedNeed[T any](c *Check[T], failed map[string]bool) string {
	for _, need := range c.Needs {
		if failed[need.Name] {
			return need.Name
		}
	}
	return ""
}

// Run runs the checks of the suite that belong to the stage, in order, and reports
// on each. It returns though a probe panics or hangs: each check has a goroutine
// and a deadline of its own, a check that outlives it is given up, and the next
// one runs. It is for programs that live on, or whose reader wants all other
// answers; see Pass for the others.
func Run[T any](ctx context.Context, suite []*Check[T], stage Stage, set Settings, target *T) Report {
	p := NewPass(suite, stage, set)
	p.each(ctx, func(t *turn[T]) { t.runBounded(ctx, target) })
	return p.Report(context.Cause(ctx))
}

// runBounded runs the check on a goroutine of its own and gives it up when its time
// is up.
func (t *turn[T]) runBounded(ctx context.Context, target *T) {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.run(ctx, target)
	}()
	select {
	case <-ended:
		t.finish(t.soFar(errors.New("probe ended without an answer"))) // runtime.Goexit
	case <-ctx.Done():
		t.finish(t.soFar(fmt.Errorf("gave no answer in time: %w", context.Cause(ctx))))
	}
}
