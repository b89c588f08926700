// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// unbroken is the longest time between two events of one series: after that, the guard
// counts an event as new (pkg/events).
const unbroken = time.Hour

// AddEvents adds to a report what is recorded in a state directory: the incidents that
// happened after a time, and since when there are the findings. What cannot be read is a
// limit of the report.
func AddEvents(r *report.Report, stateDir string, after time.Time) {
	incidents, err := Incidents(stateDir, after)
	r.Incidents = incidents
	if err != nil && !errors.Is(err, fs.ErrPermission) { // that is one of AddLimits
		r.Limits = append(r.Limits, report.Limit{What: "the events of the last 24 hours", Why: printable.Error(err)})
	}
	all, _ := readEvents(stateDir) // the error is the same
	for i := range r.Checks {
		c := &r.Checks[i]
		for j := range c.Findings {
			if f := &c.Findings[j]; f.Since.IsZero() {
				f.Since = since(all, c.Name, *f, r.Time)
			}
		}
	}
}

// since returns when a finding was recorded first, in the unbroken series of events that
// leads to now; the zero time if there is none. A repair of the check ends a series.
func since(all []events.Event, check string, f guard.Finding, now time.Time) time.Time {
	begin, next := time.Time{}, now
	for _, e := range slices.Backward(all) {
		if e.Check != check {
			continue
		}
		if e.State == guard.Repaired.String() {
			break
		}
		if !strings.Contains(e.Message, f.String()) {
			continue
		}
		if next.Sub(e.Last) > unbroken {
			break
		}
		next = e.Time
		if e.Count > 1 && !e.Since.IsZero() {
			next = e.Since
		}
		if begin.IsZero() || next.Before(begin) {
			begin = next
		}
	}
	return begin
}
