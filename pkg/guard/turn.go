// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A turn takes one check of a run from its probe to its outcome. What is known so
// far can be asked at any time by another goroutine: a check that hangs must not
// take with it what it has found.
type turn[T any] struct {
	check     *Check[T]
	mayRepair bool

	mu      sync.Mutex
	outcome Outcome   // final once done is set; before that without a state
	started bool      // the check was reached
	done    bool      // the outcome is final
	held    []Finding // what the probe that runs has handed over with Hold
	before  []Finding // what was found before the repair; nil before the repair begins
}

func newTurn[T any](c *Check[T], policy Policy, mayRepair bool) *turn[T] {
	return &turn[T]{check: c, mayRepair: mayRepair, outcome: Outcome{
		Check: c.Name, Policy: policy, Remedy: c.Remedy,
		Code: c.Code, StatusCode: c.StatusCode, Quiet: c.Quiet,
	}}
}

// run probes, repairs where that is allowed, and probes again: only the look after
// the repair tells whether it worked.
func (t *turn[T]) run(ctx context.Context, target *T) {
	t.mu.Lock()
	t.started = true
	o := t.outcome
	t.mu.Unlock()
	o.Findings, o.Err = t.probe(ctx, target)
	reason, skips := skipReason(o.Err)
	if skips {
		o.Err = nil
	}
	switch {
	case len(o.Findings) > 0:
		o.State = Failed
	case skips:
		o.State, o.Note = Skipped, "skipped: "+reason
	case o.Err != nil:
		o.State = Unknown
	default:
		o.State = Passed
	}
	if o.State == Failed && t.check.Repair != nil && t.mayRepair {
		t.mend(ctx, target, &o)
	}
	t.finish(o)
}

// finish makes an outcome final. The first one counts: a probe that returns after
// it was given up changes nothing.
func (t *turn[T]) finish(o Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.done {
		t.outcome, t.done = o, true
	}
}

// skip makes it final that the check is not probed, because of a check that it needs.
func (t *turn[T]) skip(need string) {
	o := t.soFar(nil)
	o.State, o.Err, o.Note = Skipped, nil, "skipped because "+need+" has a finding"
	t.finish(o)
}

// soFar returns the outcome where it is final, and else what is certain if the
// check never comes back, for the reason that why gives.
func (t *turn[T]) soFar(why error) Outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.outcome
	switch {
	case t.done:
	case !t.started:
		o.State, o.Err = Unknown, fmt.Errorf("not looked at: %w", why)
	case t.before != nil:
		o.State, o.Err, o.RepairTried = Unknown, unsure(t.before, why), true
	case len(t.held) > 0:
		o.State, o.Findings, o.Err = Failed, t.held, why
	default:
		o.State, o.Err = Unknown, why
	}
	return o
}

// unsure words that nobody can tell what became of a finding.
func unsure(before []Finding, why error) error {
	return fmt.Errorf("tell whether the repair worked (before it: %s): %w", clauses(before), why)
}

// holdKey is the key of the context value by which Hold finds the turn.
type holdKey struct{}

// Hold hands over findings from within a probe before it goes on looking. They
// stand if the probe then returns an error, panics, or does not return in time.
// A probe that returns without an error says all there is to say, and what was
// held counts no more: a later look may explain the evidence away. Each call
// replaces what was held before. Outside of a run Hold does nothing.
func Hold(ctx context.Context, findings ...Finding) {
	if hold, ok := ctx.Value(holdKey{}).(func([]Finding)); ok {
		hold(findings)
	}
}

func (t *turn[T]) hold(findings []Finding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = findings
}

// probe runs the probe once. Its panic is an error.
func (t *turn[T]) probe(ctx context.Context, target *T) (findings []Finding, err error) {
	t.hold(nil)
	defer func() {
		if p := recover(); p != nil {
			findings, err = nil, fmt.Errorf("probe panicked: %v", p)
		}
		if _, skips := skipReason(err); err != nil && !skips && len(findings) == 0 {
			findings = t.held // written by this goroutine only, as long as the check is not done
		}
	}()
	return t.check.Probe(context.WithValue(ctx, holdKey{}, t.hold), target)
}

// repair runs the repair once. Its panic is an error.
func (t *turn[T]) repair(ctx context.Context, target *T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("repair panicked: %v", p)
		}
	}()
	return t.check.Repair(ctx, target)
}

// A repair that fails is tried again after 10, 40 and 160 ms: an error that
// happened once, and a lock that somebody holds for a moment, must not cost a pod.
const (
	repairTries = 4
	repairPause = 10 * time.Millisecond
)

// mend repairs what was found. Only a finding that was read without an error, after
// a repair that did its work or was refused it, is still a finding. Where the
// repair failed because the kernel was slow or busy nobody can tell.
func (t *turn[T]) mend(ctx context.Context, target *T, o *Outcome) {
	before := o.Findings
	o.RepairTried = true
	t.mu.Lock()
	t.before = before
	t.mu.Unlock()
	pause := repairPause
	for try := 1; ; try++ {
		repairErr := t.repair(ctx, target)
		findings, err := t.probe(ctx, target)
		if _, skips := skipReason(err); skips { // what there was to find is gone
			err = nil
		}
		switch {
		case err == nil && len(findings) == 0:
			o.State, o.Findings, o.Err = Repaired, before, nil
			return
		case err == nil && repairErr == nil:
			o.State, o.Findings, o.Err, o.Mended = Failed, findings, nil, mended(before, findings)
			return
		}
		if try < repairTries && !lasting(repairErr) && wait(ctx, pause) {
			pause *= 4
			continue
		}
		if repairErr != nil {
			repairErr = fmt.Errorf("repair %s: %w", t.check.Name, repairErr)
		}
		if err == nil && !passing(repairErr) {
			o.State, o.Findings, o.Err, o.Mended = Failed, findings, repairErr, mended(before, findings)
			return
		}
		o.State, o.Findings, o.Err = Unknown, nil, unsure(before, errors.Join(err, repairErr))
		return
	}
}

// mended returns the findings that a repair removed, of those that say what it changes.
func mended(before, after []Finding) []Finding {
	var gone []Finding
	for _, f := range before {
		same := func(a Finding) bool { return a.Object == f.Object && a.Change == f.Change }
		if f.Change != "" && !slices.ContainsFunc(after, same) {
			gone = append(gone, f)
		}
	}
	return gone
}

// wait pauses and reports whether there is time left.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
