// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"fmt"
)

// A worker runs one probe or repair after the other on a goroutine of its own. One
// goroutine for all, because its stack, which netlink makes large, then grows once.
type worker chan func()

func newWorker() worker {
	w := make(worker)
	go func() {
		for job := range w {
			job()
		}
	}()
	return w
}

// bounded has the worker call f and returns its result, its panic as an error, or
// an error once the deadline has passed. A worker that does not come back, or
// that f ended, is replaced.
func bounded[R any](ctx context.Context, w *worker, verb string, f func(context.Context) (R, error)) (R, error) {
	type answer struct {
		result R
		err    error
		ended  bool
	}
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	answers := make(chan answer, 1)
	*w <- func() {
		a := answer{err: fmt.Errorf("%s ended without an answer", verb), ended: true} // runtime.Goexit
		defer func() {
			if p := recover(); p != nil {
				a.err, a.ended = fmt.Errorf("%s panicked: %v", verb, p), false
			}
			answers <- a
		}()
		a.result, a.err = f(ctx)
		a.ended = false
	}
	select {
	case a := <-answers:
		if a.ended {
			w.replace()
		}
		return a.result, a.err
	case <-ctx.Done():
		w.replace()
		var none R
		return none, fmt.Errorf("%s gave no answer in time: %w", verb, context.Cause(ctx))
	}
}

// replace leaves the old goroutine to end when what it runs does.
func (w *worker) replace() {
	close(*w)
	*w = newWorker()
}
