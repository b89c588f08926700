// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Deadline bounds all that a call of the plugin reads, and the time that Run waits for
// each check. It is far beyond what a probe of the local
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
// for the reason why, unless its probe has handed over findings (Hold).
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

// failedNeed returns the name of the first needed check that has a finding, or "".
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

// runBounded runs the check on a goroutine of its own and abandons it when its time
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

// run probes, repairs where that is allowed, and probes again: only the second probe shows
// whether the repair worked.
func (t *turn[T]) run(ctx context.Context, target *T) {
	t.mu.Lock()
	t.started = true
	o := t.outcome
	t.mu.Unlock()
	o.Findings, o.Err = t.probe(ctx, target)
	reason, skips := SkipReason(o.Err)
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
		t.tryRepair(ctx, target, &o)
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
// check never comes back, for the reason why.
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

// unsure returns the error that the result of a repair is unknown.
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
		if _, skips := SkipReason(err); err != nil && !skips && len(findings) == 0 {
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
// happened once, and a lock that another process holds for a moment, must not cost a pod.
const (
	repairTries = 4
	repairPause = 10 * time.Millisecond
)

// tryRepair repairs what was found and probes again. What is found after a repair that
// succeeded or was denied is still a finding. If the repair failed because the kernel was
// slow or busy, the outcome is unknown.
func (t *turn[T]) tryRepair(ctx context.Context, target *T, o *Outcome) {
	before := o.Findings
	o.RepairTried = true
	t.mu.Lock()
	t.before = before
	t.mu.Unlock()
	pause := repairPause
	for try := 1; ; try++ {
		repairErr := t.repair(ctx, target)
		findings, err := t.probe(ctx, target)
		if _, skips := SkipReason(err); skips { // what there was to find is gone
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
		if err == nil && !isTransient(repairErr) {
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

// lasting reports whether an error will be the same a moment later: a file system that
// is read-only, as /proc/sys in most containers.
func lasting(err error) bool { return errors.Is(err, syscall.EROFS) }

// isTransient reports whether an error says that the kernel was slow or busy, and nothing
// about what was read.
func isTransient(err error) bool {
	return slices.ContainsFunc([]error{
		context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded,
		// EAGAIN is also what a netlink socket returns whose timeout has passed,
		// ENOBUFS that an answer was lost (netlink(7)).
		syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETIMEDOUT,
		syscall.ENOBUFS, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE,
	}, func(slow error) bool { return errors.Is(err, slow) })
}
