// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/events"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// recordRepairs writes an event for each repair that doctor tried: what a check
// found before, and what it finds now. Where it cannot be written, doctor has said
// the same on standard output.
func recordRepairs(stateDir string, r guard.Report) {
	if stateDir == "" {
		return
	}
	log := slog.New(slog.NewJSONHandler(printable.NewWriter(events.File{Dir: stateDir}), nil)).With("command", "doctor --repair")
	for _, o := range r.Outcomes {
		attrs := []any{"check", o.Check, "state", o.State.String(), "policy", o.Policy.String()}
		switch {
		case o.State == guard.Repaired:
			log.Warn("repaired: "+o.Sentence(), append(attrs, "before", o.Sentence(), "after", after(o))...)
		case o.State == guard.Failed && o.RepairTried:
			attrs = append(attrs, "after", o.Sentence())
			if o.Err != nil {
				attrs = append(attrs, "error", o.Err.Error())
			}
			log.Error("not repaired: "+o.Sentence(), attrs...)
		case o.State == guard.Unknown && o.RepairTried:
			log.Warn(o.Check+": could not tell whether the repair worked", append(attrs, "error", o.Err.Error())...)
		}
	}
}

// after says how things are after a repair.
func after(o guard.Outcome) string {
	if changes := o.Changes(); len(changes) > 0 {
		return strings.Join(changes, ", ")
	}
	return "no finding"
}
