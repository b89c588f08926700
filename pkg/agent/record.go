// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Bounds of what is remembered.
const (
	incidentsMost = 50
	actionsMost   = 20
	messageMost   = 1024 // bytes of a node condition
)

// A check is what is known of one check.
type check struct {
	CheckStatus
	began   time.Time // of the look that the state comes from
	enforce bool      // its policy
	bad     bool      // it has a finding that is not minor
	turned  time.Time // when bad last changed
	raised  bool      // it is the node's problem: bad, with the hold-down in both directions
}

// apply takes over the result of a look. A check whose state comes from a look that began
// later keeps it: a quick look may overtake a full one. What the full one has repaired is
// recorded all the same. It may be the repair that let the quick one begin.
func (a *Agent) apply(r guard.Report, err error, began time.Time, full bool) {
	now := time.Now()
	var noted []Incident
	a.mu.Lock()
	a.countLook(now, began, full, err)
	names := make([]string, 0, len(r.Outcomes))
	for _, o := range r.Outcomes {
		names = append(names, o.Check)
		c := a.checks[o.Check]
		if c == nil {
			c = &check{CheckStatus: CheckStatus{ID: a.opt.IDs[o.Check], Check: o.Check, State: "unknown", Since: now}, turned: now}
			a.checks[o.Check] = c
			a.order = append(a.order, o.Check)
		}
		if c.began.After(began) {
			mended, _ := split(o)
			noted = append(noted, a.takeRepairs(c, o, mended, now)...)
			continue
		}
		c.began = began
		noted = append(noted, a.take(c, o, now)...)
	}
	if full && err == nil && len(names) > 0 {
		a.order = names // a check that is switched off, or that a new version lacks, is forgotten
		for name := range a.checks {
			if !slices.Contains(names, name) {
				delete(a.checks, name)
			}
		}
		a.endForgotten(names, now)
	}
	a.mu.Unlock()
	a.settle()
	if !full {
		wake(a.wake[laneSlow]) // it waits for the end of hold-downs, of which there may be a new one
	}
	for _, i := range noted {
		a.record(i)
	}
	a.opt.Changed()
}

func (a *Agent) countLook(now, began time.Time, full bool, err error) {
	l := &a.status.Looks
	if !full {
		l.Quick, l.LastQuick, l.QuickSeconds = l.Quick+1, now, l.QuickSeconds+now.Sub(began).Seconds()
		return
	}
	l.Full, l.FullSeconds, l.LastDuration = l.Full+1, l.FullSeconds+now.Sub(began).Seconds(), now.Sub(began)
	a.status.Error = ""
	if err != nil {
		a.status.Error = err.Error()
		return
	}
	l.LastFull = now
}

// take takes over an outcome, and returns the incidents to record. The caller holds mu.
func (a *Agent) take(c *check, o guard.Outcome, now time.Time) (noted []Incident) {
	state, bad := stateOf(o)
	c.enforce = o.Policy == guard.Enforce
	c.Why = ""
	switch {
	case o.Err != nil:
		c.Why = o.Err.Error()
	case o.Note != "":
		c.Why = o.Note
	}
	if state != c.State {
		c.State, c.Since = state, now
	}
	if o.State != guard.Unknown && bad != c.bad { // an unknown changes nothing
		c.bad, c.turned = bad, now
	}
	mended, left := split(o)
	if o.RepairTried && o.State != guard.Repaired {
		c.RepairsFailed++
	}
	if o.State == guard.Unknown {
		return a.takeRepairs(c, o, mended, now)
	}
	has := func(object string) bool {
		return slices.ContainsFunc(left, func(f guard.Finding) bool { return f.Object == object && !f.Minor })
	}
	noted = append(noted, a.endIncidents(c.Check, has, now)...)
	noted = append(noted, a.takeRepairs(c, o, mended, now)...)
	for _, f := range left {
		if f.Minor {
			continue
		}
		if open := a.openIncident(c.Check, f.Object); open != nil {
			open.Problem = f.Problem
			continue
		}
		i := Incident{Began: now, ID: c.ID, Check: c.Check, Object: f.Object, Problem: f.Problem, Count: 1}
		c.Incidents++
		a.addIncident(i)
		noted = append(noted, i)
	}
	c.Findings = since(left, c.Findings, now)
	if c.Check == "host-loopback" {
		a.status.Loopback = map[string]string{"passed": "up", "failed": "down"}[state]
		if a.status.Loopback == "" {
			a.status.Loopback = "unknown"
		}
	}
	return noted
}

// split returns the findings of an outcome that were repaired, and those that are left.
func split(o guard.Outcome) (mended, left []guard.Finding) {
	if o.State == guard.Repaired {
		return o.Findings, nil
	}
	return o.Mended, o.Findings
}

// takeRepairs counts what a look has repaired, and returns the incidents to record. The
// caller holds mu.
func (a *Agent) takeRepairs(c *check, o guard.Outcome, mended []guard.Finding, now time.Time) (noted []Incident) {
	if o.RepairTried && o.State == guard.Repaired || len(o.Mended) > 0 {
		c.Repaired++
	}
	for _, f := range mended {
		i := Incident{Began: now, Ended: now, ID: c.ID, Check: c.Check, Object: f.Object, Problem: f.Problem, Repaired: true, Count: 1}
		if a.openIncident(c.Check, f.Object) == nil && !f.Minor && !o.Quiet {
			c.Incidents++
			noted = append(noted, a.addRepair(i)...)
		}
	}
	return noted
}

// since returns findings with the time at which each was first seen.
func since(findings, before []guard.Finding, now time.Time) []guard.Finding {
	all := slices.Clone(findings)
	for i := range all {
		if !all[i].Since.IsZero() {
			continue
		}
		all[i].Since = now
		for _, b := range before {
			if b.Object == all[i].Object {
				all[i].Since = b.Since
			}
		}
	}
	return all
}

// stateOf returns the state of an outcome as one of CheckStates, and whether it has a
// finding that is not minor.
func stateOf(o guard.Outcome) (state string, bad bool) {
	switch {
	case o.State == guard.Failed && o.Minor():
		return "minor", false
	case o.State == guard.Failed:
		return "failed", true
	case o.State == guard.Repaired:
		return "passed", false
	}
	return o.State.String(), false
}

// recoverTo turns a panic into an error.
func (a *Agent) recoverTo(err *error) {
	if p := recover(); p != nil {
		a.mu.Lock()
		a.status.Counters.Panics++
		a.mu.Unlock()
		*err = fmt.Errorf("panicked: %v", p)
		a.opt.Log.Error("a look panicked", "error", (*err).Error())
	}
}
