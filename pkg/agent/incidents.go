// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"slices"
	"time"
)

// record stores and logs an incident.
func (a *Agent) record(i Incident) {
	a.opt.Node.Record(i)
	attrs := []any{"check", i.Check, "id", i.ID, "object", i.Object, "problem", i.Problem}
	if i.Culprit != "" {
		attrs = append(attrs, "culprit", i.Culprit)
	}
	if i.Count > 1 {
		attrs = append(attrs, "times", i.Count)
	}
	switch {
	case i.Repaired:
		a.opt.Log.Warn("repaired", attrs...)
	case i.Ended.IsZero():
		a.opt.Log.Warn("finding", attrs...)
	default:
		a.opt.Log.Info("the finding is gone", append(attrs, "after", i.Ended.Sub(i.Began).Round(time.Second).String())...)
	}
}

// repeatQuiet is how long a repair must not have been necessary to count as a new incident.
const repeatQuiet = 10 * time.Minute

// addRepair adds something that was repaired at once, or counts it if it repeats: another
// program may undo each repair. Of repeats the tenth, the hundredth and so on are recorded.
func (a *Agent) addRepair(i Incident) []Incident {
	for n := range a.status.Incidents {
		in := &a.status.Incidents[n]
		if in.Check != i.Check || in.Object != i.Object || !in.Repaired || i.Ended.Sub(in.Ended) >= repeatQuiet {
			continue
		}
		in.Count++
		in.Ended, in.Problem = i.Ended, i.Problem
		if isPowerOfTen(in.Count) {
			return []Incident{*in}
		}
		return nil
	}
	a.addIncident(i)
	return []Incident{i}
}

func isPowerOfTen(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

func (a *Agent) addIncident(i Incident) {
	a.status.Incidents = slices.Insert(a.status.Incidents, 0, i)
	if len(a.status.Incidents) > incidentsMost {
		a.status.Incidents = a.status.Incidents[:incidentsMost]
	}
}

// openIncident returns the incident of a check and object that lasts, or nil.
func (a *Agent) openIncident(check, object string) *Incident {
	for i := range a.status.Incidents {
		if in := &a.status.Incidents[i]; in.Check == check && in.Object == object && in.Ended.IsZero() {
			return in
		}
	}
	return nil
}

// endIncidents ends the incidents of a check whose objects have no finding any more.
func (a *Agent) endIncidents(check string, has func(object string) bool, now time.Time) (ended []Incident) {
	for i := range a.status.Incidents {
		in := &a.status.Incidents[i]
		if in.Check == check && in.Ended.IsZero() && !has(in.Object) {
			in.Ended = now
			ended = append(ended, *in)
		}
	}
	return ended
}

// recall takes over the incidents that an agent before this one has recorded. One that
// lasted goes on if the first look finds it as well, or ends with it.
func (a *Agent) recall() {
	earlier := a.opt.Node.Recall()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range earlier {
		if len(a.status.Incidents) == incidentsMost {
			return
		}
		if i.Ended.IsZero() && a.openIncident(i.Check, i.Object) != nil {
			continue // a quick look has found it by now
		}
		i.Earlier = true
		a.status.Incidents = append(a.status.Incidents, i)
	}
}

// endForgotten ends the incidents of checks that no look runs any more. The caller holds mu.
func (a *Agent) endForgotten(names []string, now time.Time) {
	for _, i := range slices.Clone(a.status.Incidents) {
		if i.Ended.IsZero() && !slices.Contains(names, i.Check) {
			a.endIncidents(i.Check, func(string) bool { return false }, now)
		}
	}
}
