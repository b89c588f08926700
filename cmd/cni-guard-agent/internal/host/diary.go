// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// recallFor is how far back the agent reads what was recorded before it.
const recallFor = 24 * time.Hour

// A diary writes incidents to the file of events. What cannot be written, as the disk is
// full, waits for the next incident or full look.
type diary struct {
	mu       sync.Mutex
	waiting  []agent.Incident
	refusals uint64
}

// waitingMost is how many incidents wait at most.
const waitingMost = 100

// Record implements agent.Node.
func (h *Host) Record(i agent.Incident) {
	h.diary.mu.Lock()
	h.diary.waiting = append(h.diary.waiting, i)
	if more := len(h.diary.waiting) - waitingMost; more > 0 {
		h.diary.waiting = slices.Delete(h.diary.waiting, 0, more)
	}
	h.diary.mu.Unlock()
	h.diary.write(h.Entry().StateDir, h.log)
}

// write writes what waits, and logs when that begins and ceases to fail.
func (d *diary) write(dir string, log *slog.Logger) {
	if dir == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) > 0 {
		if err := writeIncident(dir, d.waiting[0]); err != nil {
			if d.refusals++; d.refusals == 1 {
				log.Warn("cannot record incidents: will retry", "dir", dir, "error", err)
			}
			return
		}
		d.waiting = d.waiting[1:]
		if d.refusals > 0 {
			log.Info("incidents can be recorded again", "dir", dir)
			d.refusals = 0
		}
	}
}

// writeIncident appends an incident, with the time at which it happened.
func writeIncident(dir string, i agent.Incident) error {
	handler := slog.NewJSONHandler(printable.NewWriter(events.File{Dir: dir}), nil)
	at, level, state, prefix := i.Ended, slog.LevelWarn, guard.Repaired, "repaired: "
	switch {
	case i.Repaired:
	case i.Ended.IsZero():
		at, state, prefix = i.Began, guard.Failed, ""
	default:
		level, state, prefix = slog.LevelInfo, guard.Passed, "gone: "
	}
	r := slog.NewRecord(at, level, prefix+i.Check+": "+i.Object+" "+i.Problem, 0)
	r.Add("command", "agent", "check", i.Check, "id", i.ID, "object", i.Object, "problem", i.Problem)
	if i.Culprit != "" {
		r.Add("culprit", i.Culprit)
	}
	if i.Count > 1 {
		r.Add("count", i.Count, "since", i.Began)
	}
	r.Add("state", state.String())
	if state == guard.Passed {
		r.Add("began", i.Began)
	}
	return handler.Handle(context.Background(), r)
}

// Recall implements agent.Node: it reads the file of events.
func (h *Host) Recall() []agent.Incident {
	var all []agent.Incident // the oldest first
	for e, err := range events.Read(h.Entry().StateDir) {
		var of struct{ ID, Object, Problem, Culprit string }
		if err != nil || e.Command != "agent" || time.Since(e.Time) > recallFor || json.Unmarshal(e.Raw, &of) != nil || of.Object == "" {
			continue
		}
		last := func(is func(agent.Incident) bool) *agent.Incident {
			for n := len(all) - 1; n >= 0; n-- {
				if all[n].Check == e.Check && all[n].Object == of.Object && is(all[n]) {
					return &all[n]
				}
			}
			return nil
		}
		i := agent.Incident{Began: e.Time, ID: of.ID, Check: e.Check, Object: of.Object, Problem: of.Problem, Culprit: of.Culprit, Count: 1}
		open := last(func(i agent.Incident) bool { return i.Ended.IsZero() })
		switch e.State {
		case guard.Passed.String():
			if open != nil {
				open.Ended = e.Time
			}
			continue
		case guard.Repaired.String():
			i.Ended, i.Repaired = e.Time, true
			if e.Count > 1 { // the tenth or hundredth time of one incident
				if same := last(func(i agent.Incident) bool { return i.Repaired }); same != nil {
					same.Ended, same.Count = e.Time, uint64(e.Count)
					continue
				}
				i.Began, i.Count = e.Since, uint64(e.Count)
			}
		case guard.Failed.String():
			if open != nil { // found again by an agent that was restarted
				continue
			}
		default:
			continue
		}
		all = append(all, i)
	}
	slices.Reverse(all)
	return all
}
