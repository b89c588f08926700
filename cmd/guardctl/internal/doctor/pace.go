// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
)

// When --wait and --watch look after a change.
const (
	settle = 50 * time.Millisecond // further changes of the same cause are awaited
	// Looks take at most a part of the time, on a node where pods come and go all the time.
	leastGap = 200 * time.Millisecond
	rest     = 4 // times as long as the look took
)

// A pace says when to look again: soon after a change, and from time to time without one,
// as not everything that a check reads is reported.
type pace struct {
	changed <-chan struct{}
	every   time.Duration

	ended time.Time     // of the last look
	took  time.Duration // the last look
}

// next waits until a look is due, and reports whether ctx goes on.
func (p *pace) next(ctx context.Context) bool {
	timer := time.NewTimer(p.every)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-p.changed:
	}
	gap := max(leastGap, rest*p.took) - time.Since(p.ended)
	if !pause(ctx, min(max(settle, gap), p.every)) {
		return false
	}
	select {
	case <-p.changed: // of the same cause
	default:
	}
	return true
}

// look looks and measures that.
func (p *pace) look(ctx context.Context, look looker) (report.Report, error) {
	began := time.Now()
	r, err := look(ctx)
	p.ended = time.Now()
	p.took = p.ended.Sub(began)
	return r, err
}

// pause waits for a time and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A looker looks at the node once.
type looker func(context.Context) (report.Report, error)

// waitUntilWell looks until the exit code is 0 or ctx ends, and returns the last report.
// A look that has begun ends, whatever the time: its checks have deadlines of their own.
func waitUntilWell(ctx context.Context, p *pace, look looker, unwell func(report.Report, error)) (report.Report, error) {
	for {
		r, err := p.look(context.WithoutCancel(ctx), look)
		if err == nil && r.Summary.ExitCode == 0 {
			return r, nil
		}
		unwell(r, err)
		if !p.next(ctx) {
			return r, err
		}
	}
}

// watch looks until ctx ends, and calls show with each report and the one before, of which
// the first is empty. It returns the last report. A look that fails changes nothing but is
// given to failed.
func watch(ctx context.Context, p *pace, look looker, show func(before, now report.Report) error, failed func(error)) (report.Report, error) {
	last, err := p.look(ctx, look)
	if err != nil {
		return last, err
	}
	if err := show(report.Report{}, last); err != nil {
		return last, err
	}
	for p.next(ctx) {
		now, err := p.look(ctx, look)
		switch {
		case ctx.Err() != nil: // it was cut short
		case err != nil:
			failed(err)
		default:
			if err := show(last, now); err != nil {
				return now, err
			}
			last = now
		}
	}
	return last, nil
}
