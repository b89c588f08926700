// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// A watchdog answers for a call that is not done in time, and ends the program. A
// system call that hangs cannot be cancelled, but a program that answers once need
// not wait for it. This does without a goroutine for each probe, whose switches
// cost more than the probes.
//
// Until something is known, the answer is success: unknown refuses nobody. The
// methods of a nil watchdog do nothing.
type watchdog struct {
	timer *time.Timer
	// Of the call, for what can be cancelled.
	ctx    context.Context
	cancel context.CancelFunc

	// Written before the timer starts, or while it stands still.
	end    time.Time
	stdout []byte       // what success prints
	late   func() error // makes the answer; nil: success
}

// Of the deadline of a call (guard.Deadline), margin is left for what minds its
// context to give up by itself. grace is how long the watchdog itself waits for a
// line of the journal to be written.
const (
	margin = 200 * time.Millisecond
	grace  = 300 * time.Millisecond
)

// startWatchdog gives the call that the program serves its time.
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

// stop takes the right to answer from the watchdog. It does not return where the
// watchdog answers already: the program ends with that answer.
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

// prints says what success prints.
func (w *watchdog) prints(stdout []byte) {
	if w == nil {
		return
	}
	w.stop()
	w.stdout = stdout
	w.timer.Reset(time.Until(w.end))
}

// ifLate says what makes the answer when the time is up. It runs while the call
// itself hangs, or is about to return from where it hung, and may not share with it
// what either of them writes.
func (w *watchdog) ifLate(answer func() error) {
	if w == nil {
		return
	}
	w.stop()
	w.late = answer
	w.timer.Reset(time.Until(w.end))
}

// extend gives the call time from now on for something that has a deadline of its
// own, and says what to answer if it does not keep that.
func (w *watchdog) extend(d time.Duration, answer error) {
	if w == nil {
		return
	}
	w.stop()
	w.end, w.late = time.Now().Add(d), func() error { return answer }
	w.timer.Reset(d)
}

// expired answers for the call and ends the program.
func (w *watchdog) expired() {
	var err error
	if w.late != nil {
		err = unlessPanic(w.late)
	}
	finish(w.stdout, err)
}

// unlessPanic turns a panic of f into success: a bug of ours must not cost a pod.
func unlessPanic(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			printable.Fprintf(os.Stderr, "cni-guard: bug: panic: %v; the call is let through unguarded\n", cause)
			err = nil
		}
	}()
	return f()
}

// within runs f and waits for it for as long as d; it returns nil where f is not
// done by then.
func within(d time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- unlessPanic(f) }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return nil
	}
}
