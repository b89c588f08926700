// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"
	"slices"
	"strings"
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
// later keeps it: a quick look may overtake a full one.
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
				a.endIncidents(name, func(string) bool { return false }, now)
			}
		}
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
	mended, left := o.Mended, o.Findings
	if o.State == guard.Repaired {
		mended, left = o.Findings, nil
	}
	if o.RepairTried && o.State == guard.Repaired || len(o.Mended) > 0 {
		c.Repaired++
	}
	if o.RepairTried && o.State != guard.Repaired {
		c.RepairsFailed++
	}
	if o.State == guard.Unknown {
		return nil
	}
	has := func(object string) bool {
		return slices.ContainsFunc(left, func(f guard.Finding) bool { return f.Object == object && !f.Minor })
	}
	noted = append(noted, a.endIncidents(c.Check, has, now)...)
	for _, f := range mended {
		i := Incident{Began: now, Ended: now, ID: c.ID, Check: c.Check, Object: f.Object, Problem: f.Problem, Repaired: true, Count: 1}
		if a.openIncident(c.Check, f.Object) == nil && !f.Minor && !o.Quiet {
			c.Incidents++
			noted = append(noted, a.addRepair(i)...)
		}
	}
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

// settle raises and lowers the problem of the node where a hold-down is over.
func (a *Agent) settle() {
	now := time.Now()
	a.mu.Lock()
	changed := false
	for _, c := range a.checks {
		if at, ok := c.settles(); ok && !now.Before(at) {
			c.raised, changed = c.bad, true
		}
	}
	a.status.Problem = a.problem()
	a.mu.Unlock()
	if changed {
		a.opt.Changed()
	}
}

// settles returns when the check is raised or lowered, if it is to be.
func (c *check) settles() (time.Time, bool) {
	hold := holdUp
	if c.bad {
		hold = holdDown
	}
	return c.turned.Add(hold), c.bad != c.raised
}

// nextSettle returns how long it is until a hold-down is over.
func (a *Agent) nextSettle() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := time.Hour
	for _, c := range a.checks {
		if at, ok := c.settles(); ok {
			wait = min(wait, max(time.Until(at), 0))
		}
	}
	return wait
}

// problem returns the problem of the node: that of the first check with an enforced policy,
// or else of the first. The caller holds mu.
func (a *Agent) problem() *Problem {
	var raised []*check
	for _, name := range a.order {
		if c := a.checks[name]; c != nil && c.raised {
			raised = append(raised, c)
		}
	}
	if len(raised) == 0 {
		return nil
	}
	slices.SortStableFunc(raised, func(x, y *check) int { return y.rank() - x.rank() })
	p := &Problem{ID: raised[0].ID, Check: raised[0].Check, Since: raised[0].turned, Checks: len(raised)}
	var all []string
	for _, c := range raised {
		all = append(all, c.sentence())
	}
	p.Message = shorten(strings.Join(all, "; "), messageMost)
	return p
}

// rank is higher for a worse check: one that has a finding now before one whose hold-down
// is not over, one that refuses pods before one that warns.
func (c *check) rank() (rank int) {
	if c.bad {
		rank += 2
	}
	if c.enforce {
		rank++
	}
	return rank
}

func (c *check) sentence() string {
	var all []string
	for _, f := range c.Findings {
		if !f.Minor {
			all = append(all, f.String())
		}
	}
	if len(all) == 0 {
		return fmt.Sprintf("%s %s: was found, and is gone for less than %s", c.ID, c.Check, holdUp)
	}
	return fmt.Sprintf("%s %s: %s", c.ID, c.Check, strings.Join(all, ", "))
}

// shorten cuts a text to at most n bytes, at a character.
func shorten(text string, n int) string {
	const more = " …"
	if len(text) <= n {
		return text
	}
	cut := 0
	for i := range text {
		if i > n-len(more) {
			break
		}
		cut = i
	}
	return text[:cut] + more
}

// Status returns what is known at the moment.
func (a *Agent) Status() Status {
	peers := a.opt.Node.TunnelPeers()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.TunnelPeers = peers
	s.Checks = make([]CheckStatus, 0, len(a.order))
	for _, name := range a.order {
		if c := a.checks[name]; c != nil {
			status := c.CheckStatus
			status.Findings = slices.Clone(c.Findings)
			s.Checks = append(s.Checks, status)
		}
	}
	s.Incidents = slices.Clone(s.Incidents)
	s.Watches = slices.Clone(s.Watches)
	s.Conf.Actions = slices.Clone(s.Conf.Actions)
	s.Counters.ConfActions = map[string]map[string]uint64{}
	for action, results := range a.status.Counters.ConfActions {
		s.Counters.ConfActions[action] = map[string]uint64{}
		for result, n := range results {
			s.Counters.ConfActions[action][result] = n
		}
	}
	return s
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
