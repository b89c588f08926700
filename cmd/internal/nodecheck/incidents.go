// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"errors"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Incidents returns what was recorded in a state directory and happened after a time,
// oldest first. The error is what could not be read; the incidents stand beside it.
func Incidents(stateDir string, after time.Time) ([]report.Incident, error) {
	all, err := readEvents(stateDir)
	incidents := []report.Incident{} // never null in JSON
	at := map[events.Key]int{}
	for _, e := range all {
		if !e.Last.After(after) {
			continue
		}
		i := incidentOf(e)
		where, seen := at[e.Key()]
		if !seen {
			at[e.Key()] = len(incidents)
			incidents = append(incidents, i)
			continue
		}
		known := &incidents[where]
		known.Last, known.Count = i.Last, max(known.Count+1, i.Count)
	}
	slices.SortStableFunc(incidents, func(a, b report.Incident) int { return a.Last.Compare(b.Last) })
	return incidents, err
}

// readEvents returns the events of a state directory with their present counts, oldest
// first, and what could not be read.
func readEvents(stateDir string) (all []events.Event, unreadable error) {
	for e, err := range events.Read(stateDir) {
		if err != nil {
			unreadable = errors.Join(unreadable, err)
			continue
		}
		all = append(all, e)
	}
	events.Latest(stateDir, all)
	return all, unreadable
}

func incidentOf(e events.Event) report.Incident {
	i := report.Incident{
		Time: e.Time, Last: e.Last, Count: max(e.Count, 1), Check: e.Check, State: e.State,
		Command: e.Command, Pod: e.Pod, Message: e.Message,
	}
	if e.Count > 1 && !e.Since.IsZero() {
		i.Time = e.Since
	}
	if i.Pod == "" {
		i.Pod = e.ContainerID
	}
	if e.State == guard.Failed.String() && e.Policy == guard.Warn.String() {
		i.State = "warned"
	}
	return i
}
