// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
)

// A clock notes when looks are made, from the beginning of a bubble, and what they return.
type clock struct {
	began time.Time
	looks []time.Duration
	took  time.Duration // each look
	well  bool
	err   error
}

func (c *clock) look(context.Context) (report.Report, error) {
	c.looks = append(c.looks, time.Since(c.began))
	time.Sleep(c.took)
	var r report.Report
	if !c.well {
		r.Summary.ExitCode = 1
	}
	return r, c.err
}

// A change leads to a look at once, many changes to few, and none to a look now and then.
func TestWatchLooksAfterChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changed := make(chan struct{}, 1)
		c := &clock{began: time.Now(), took: 100 * time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		var shown int
		ended := make(chan report.Report)
		go func() {
			last, err := watch(ctx, &pace{changed: changed, every: 30 * time.Second}, c.look, func(report.Report, report.Report) error { shown++; return nil }, func(error) {})
			if err != nil {
				t.Error(err)
			}
			ended <- last
		}()
		time.Sleep(10 * time.Second)
		changed <- struct{}{}
		time.Sleep(time.Second)
		for range 1000 { // for ten seconds
			select {
			case changed <- struct{}{}:
			default:
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(50 * time.Second)
		cancel()
		if last := <-ended; last.Summary.ExitCode != 1 || shown != len(c.looks) {
			t.Errorf("the last exit code is %d, and of %d looks %d were shown", last.Summary.ExitCode, len(c.looks), shown)
		}
		if len(c.looks) < 3 || c.looks[0] != 0 || c.looks[1] != 10*time.Second+settle {
			t.Fatalf("looks at %v, want the first at once and the second right after the change at 10s", c.looks)
		}
		storm := 0
		for _, at := range c.looks[2:] {
			if at < 21*time.Second+c.took*(rest+1) {
				storm++
			}
		}
		if storm < 10 || storm > 22 { // each rests for 4 × 100 ms
			t.Errorf("%d looks in a storm of 10s: %v", storm, c.looks)
		}
		if late := c.looks[len(c.looks)-1]; late < 50*time.Second || late > 55*time.Second {
			t.Errorf("the last look is at %s, and not 30s after the one before", late)
		}
	})
}

// --wait ends as soon as a look finds the node well, and at the deadline otherwise.
func TestWait(t *testing.T) {
	for name, c := range map[string]struct {
		wellAt, ends time.Duration
		code         int
	}{
		"well at once":       {0, 0, 0},
		"well after a while": {2 * time.Minute, 2*time.Minute + settle, 0},
		"never well":         {time.Hour, 5 * time.Minute, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			changed := make(chan struct{}, 1)
			looks := &clock{began: time.Now(), well: c.wellAt == 0}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			if c.wellAt > 0 && c.wellAt < 5*time.Minute {
				time.AfterFunc(c.wellAt, func() { looks.well = true; changed <- struct{}{} })
			}
			unwell := 0
			r, err := waitUntilWell(ctx, &pace{changed: changed, every: time.Hour}, looks.look, func(report.Report, error) { unwell++ })
			if took := time.Since(looks.began); err != nil || took != c.ends || r.Summary.ExitCode != c.code {
				t.Errorf("%s: ended after %s with exit code %d, error %v; want %s and %d", name, took, r.Summary.ExitCode, err, c.ends, c.code)
			}
			if want := len(looks.looks) - 1 + c.code; unwell != want {
				t.Errorf("%s: %d of %d looks were reported as unwell, want %d", name, unwell, len(looks.looks), want)
			}
		})
	}
}

// A look that fails is no change, and does not end --watch unless it is the first.
func TestWatchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &clock{began: time.Now(), well: true}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.AfterFunc(time.Second, func() { c.err = errors.New("no runtime") })
		var failed []error
		last, err := watch(ctx, &pace{every: 10 * time.Second}, c.look, func(report.Report, report.Report) error { return nil }, func(err error) { failed = append(failed, err) })
		if err != nil || last.Summary.ExitCode != 0 || len(failed) < 5 || !slices.Contains(failed, c.err) {
			t.Errorf("exit code %d, error %v, failures %v", last.Summary.ExitCode, err, failed)
		}
		if _, err := watch(ctx, &pace{every: time.Second}, c.look, nil, nil); err == nil {
			t.Error("a first look that fails is no error")
		}
	})
}
