// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/printable"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// A watchdog answers for a call that is not done in time, and ends the program. A
// system call that hangs cannot be canceled, but a program that answers once need not
// wait for it. A goroutine for each probe would do as well, but its switches cost more
// than the probes.
//
// The answer is success until something is known: unknown refuses no pod. The methods
// of a nil watchdog do nothing.
type watchdog struct {
	timer *time.Timer
	// Of the call, for work that can be canceled.
	ctx    context.Context
	cancel context.CancelFunc

	// Written before the timer starts, or while it is stopped.
	end           time.Time
	stdout        []byte       // what success prints
	timeoutAnswer func() error // makes the answer; nil: success
}

// The context of a call ends margin before the deadline of the call (guard.Deadline),
// so that work that respects it ends by itself. grace is how long the watchdog waits
// for a line of the journal to be written.
const (
	margin = 200 * time.Millisecond
	grace  = 300 * time.Millisecond
)

// startWatchdog starts the time of the call that the program serves.
func startWatchdog() *watchdog {
	w := &watchdog{end: time.Now().Add(guard.Deadline)}
	w.ctx, w.cancel = context.WithDeadline(context.Background(), w.end.Add(-margin))
	w.timer = time.AfterFunc(guard.Deadline, w.expired)
	return w
}

// context returns the context of the call.
func (w *watchdog) context() context.Context {
	if w == nil {
		return context.Background()
	}
	return w.ctx
}

// stop takes the right to answer from the watchdog. It does not return if the watchdog
// answers already: the program ends with that answer.
func (w *watchdog) stop() {
	if w != nil && !w.timer.Stop() {
		select {}
	}
}

// done ends the watch: the call has its answer.
func (w *watchdog) done() {
	if w != nil {
		w.stop()
		w.cancel()
	}
}

// setOutput sets what success prints.
func (w *watchdog) setOutput(stdout []byte) {
	if w == nil {
		return
	}
	w.stop()
	w.stdout = stdout
	w.timer.Reset(time.Until(w.end))
}

// onTimeout sets the function that makes the answer when the time is up. The function
// runs while the call hangs, or is about to return from where it hung. The two must not
// share what either of them writes.
func (w *watchdog) onTimeout(answer func() error) {
	if w == nil {
		return
	}
	w.stop()
	w.timeoutAnswer = answer
	w.timer.Reset(time.Until(w.end))
}

// extend moves the deadline of the call to d from now, for work that has a deadline of its
// own, and sets the answer if that deadline passes.
func (w *watchdog) extend(d time.Duration, answer error) {
	if w == nil {
		return
	}
	w.stop()
	w.end, w.timeoutAnswer = time.Now().Add(d), func() error { return answer }
	w.timer.Reset(d)
}

// expired answers for the call and ends the program.
func (w *watchdog) expired() {
	var err error
	if w.timeoutAnswer != nil {
		err = letThroughOnPanic(w.timeoutAnswer)
	}
	finish(w.stdout, err)
}

// letThroughOnPanic runs f and turns a panic into success: a bug of cni-guard must not
// cost a pod.
func letThroughOnPanic(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			printable.Fprintf(os.Stderr, "cni-guard: bug: panic: %v; the call is let through unguarded\n", cause)
			err = nil
		}
	}()
	return f()
}

// within runs f and waits at most d for it. It returns nil if f is not done by then.
func within(d time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- letThroughOnPanic(f) }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return nil
	}
}

// errTimeout returns the reason why a check has no outcome when the watchdog answers.
func errTimeout() error {
	return fmt.Errorf("the call was not done within %v; the kernel or a file system does not answer", guard.Deadline)
}

// begin makes the watchdog log a call that hangs before any check runs, such as while
// it opens the namespace.
func (p *plugin) begin(command string, c config, args *cmdArgs) {
	p.watch.onTimeout(func() error {
		log := journal{command, c, args}
		return within(grace, func() error {
			log.warn("no check ran; the call is let through unguarded", errTimeout())
			return nil
		})
	})
}

// runChecks runs the checks. If the time is up meanwhile, what is certain by then is
// reported, and answer makes the answer from it.
func (k *call) runChecks(suite []*checks.Check, stage guard.Stage, answer func(guard.Report) error) guard.Report {
	pass := guard.NewPass(suite, stage, k.Settings)
	log := k.log
	k.watch.onTimeout(func() error {
		report := pass.Report(errTimeout())
		_ = within(grace, func() error { log.report(report); return nil })
		return answer(report)
	})
	k.watch.limitViews(k.target)
	report := pass.Run(k.watch.context(), k.target)
	// From here on the call itself reports. This does not return if the watchdog
	// answers already: a release that it started must not find the record retired.
	k.watch.onTimeout(func() error { return answer(report) })
	return report
}

// limitViews makes the views wait for an answer no longer than the call has time.
func (w *watchdog) limitViews(t *checks.Target) {
	deadline, limited := w.context().Deadline()
	for _, v := range []netstate.View{t.Node, t.Pod} {
		if live, ok := v.(*netstate.Live); ok && limited {
			live.SetDeadline(deadline)
		}
	}
}

// refused returns the refusal of a report, if it has one.
func refused(r guard.Report) error { return orNil(r.CNIError()) }

// answerLateDel answers a DEL whose time is up. A finding from before something hung
// counts, and its release has a deadline of its own.
func (k *call) answerLateDel(r guard.Report) error {
	refusal := wrongNamespace(r)
	switch {
	case refusal != nil:
	case k.released():
		return k.stopAfterRelease(k.log.args, release.Outcome{Complete: true})
	case k.releasedInPart():
		return orNil(k.answerUnfinished(k.request(k.log.args)))
	default:
		return nil
	}
	// A copy with a watchdog of its own: the call may come back from where it hangs,
	// and must not answer then.
	late, w := *k, new(watchdog)
	w.timeoutAnswer = func() error { return late.answerUnfinished(late.request(late.log.args)) }
	w.timer = time.AfterFunc(guard.Deadline, w.expired)
	defer w.stop() // two of them must not answer
	late.watch = w
	return late.releaseAndStop(*refusal, late.log.args)
}

// answerUnfinished answers a DEL whose release did not end in time.
func (k *call) answerUnfinished(request release.Request) *types.Error {
	return k.answerSoFar(request, release.Outcome{Reason: fmt.Sprintf("the release was not done within %v", release.Deadline)})
}

// answerSoFar answers a DEL that hangs after its release.
func (k *call) answerSoFar(request release.Request, o release.Outcome) *types.Error {
	return release.Answer("container "+request.ContainerID, "Find out what hangs on this node", request, o)
}
