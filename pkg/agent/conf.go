// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"slices"
	"time"
)

// A ConfAction is one thing that was done to keep the conf dir, or would have been.
type ConfAction struct {
	Time time.Time `json:"time,omitzero"`
	// Action is "reinsert", "quarantine" or "restore".
	Action string `json:"action"`
	// Result is "done", "failed", "throttled" or "reported".
	Result string `json:"result"`
	File   string `json:"file"` // its path
	Why    string `json:"why"`  // a clause about the file
	// Culprit is who wrote or removed the file, as a phrase: the process that the kernel has
	// named, "probably Calico" for a product whose files look like it, or "an unknown program".
	Culprit string `json:"culprit,omitempty"`
	Error   string `json:"error,omitempty"`
}

// How often the agent undoes what another program does to the conf dir without a pause, and
// how often with the first pause. After that each pause is twice the one before: a program
// that answers at once would otherwise keep both busy for ever.
const (
	throttleAfter = 20
	throttleFirst = time.Second
	throttleSlow  = 100
	throttleMost  = 5 * time.Minute
	throttleQuiet = 10 * time.Minute // without an action: it is forgotten
)

// A confState is what is remembered of the conf dir.
type confState struct {
	last     time.Time    // of an action that was tried
	until    time.Time    // no action before that
	reported []ConfAction // what was to be done at the last look, and was not
}

// keep puts the conf dir right, or reports what is wrong with it.
func (a *Agent) keep(ctx context.Context) {
	now := time.Now()
	a.mu.Lock()
	if !a.conf.last.IsZero() && now.Sub(a.conf.last) >= throttleQuiet {
		a.status.Conf.InARow = 0
	}
	throttled := now.Before(a.conf.until)
	a.mu.Unlock()
	act := a.opt.Keep == KeepEnforce && a.opt.Profile == Repair && !throttled
	actions, err := a.protectedKeep(ctx, act)

	now = time.Now()
	var incidents []Incident
	a.mu.Lock()
	a.status.Conf.Error = ""
	if err != nil {
		a.status.Conf.Error = err.Error()
	}
	if dirs := a.opt.Node.Dirs(); len(dirs) > 0 {
		a.status.Conf.Dir = dirs[0]
	}
	var open []ConfAction
	tried := 0
	for _, action := range actions {
		action.Time = now
		switch {
		case act:
			tried++
		case throttled && a.opt.Keep == KeepEnforce:
			action.Result = "throttled"
		default:
			action.Result = "reported"
		}
		if !act {
			open = append(open, action)
			if slices.ContainsFunc(a.conf.reported, action.same) {
				continue // it is known
			}
		}
		a.addAction(action)
		if action.Result == "done" {
			incidents = append(incidents, a.addRepair(incidentOf(action, a.opt.IDs))...)
		}
	}
	a.conf.reported = open
	if tried > 0 {
		a.throttle(now)
	}
	if !a.status.Conf.Until.IsZero() && len(open) > 0 && throttled {
		a.due.at(classKeep, a.conf.until)
		wake(a.wake[laneKeep])
		a.due.at(classConf, a.conf.until)
	}
	a.mu.Unlock()
	for _, i := range incidents {
		a.record(i)
	}
	a.logActions(actions, act)
}

// throttle counts an attempt and sets the pause after it. The caller holds mu.
func (a *Agent) throttle(now time.Time) {
	a.conf.last = now
	a.status.Conf.InARow++
	a.conf.until = time.Time{}
	if over := a.status.Conf.InARow - throttleAfter; over >= 0 {
		a.conf.until = now.Add(min(throttleFirst<<max(0, min(over-throttleSlow, 20)), throttleMost))
	}
	a.status.Conf.Until = a.conf.until
}

func (a *Agent) addAction(action ConfAction) {
	results := a.status.Counters.ConfActions[action.Action]
	if results == nil {
		results = map[string]uint64{}
		a.status.Counters.ConfActions[action.Action] = results
	}
	results[action.Result]++
	a.status.Conf.Actions = slices.Insert(a.status.Conf.Actions, 0, action)
	if len(a.status.Conf.Actions) > actionsMost {
		a.status.Conf.Actions = a.status.Conf.Actions[:actionsMost]
	}
}

// same reports whether two actions are the same but for their time.
func (c ConfAction) same(other ConfAction) bool {
	return c.Action == other.Action && c.File == other.File && c.Result == other.Result
}

// incidentOf returns an action that was done as an incident of the check that reports what
// it has put right.
func incidentOf(action ConfAction, ids map[string]string) Incident {
	check := "conflist"
	if action.Action == "reinsert" {
		check = "guard-placement"
	}
	return Incident{
		Began: action.Time, Ended: action.Time, ID: ids[check], Check: check,
		Object: action.File, Problem: action.Why, Repaired: true, Count: 1, Culprit: action.Culprit,
	}
}

func (a *Agent) logActions(actions []ConfAction, act bool) {
	for _, action := range actions {
		if act && action.Result == "failed" {
			a.opt.Log.Error("cannot keep the conf dir", "action", action.Action, "file", action.File, "problem", action.Why, "culprit", action.Culprit, "error", action.Error)
		}
	}
}

func (a *Agent) protectedKeep(ctx context.Context, act bool) (actions []ConfAction, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	defer a.recoverTo(&err)
	return a.opt.Node.Keep(ctx, act)
}
