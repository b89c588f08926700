// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A Change is what differs between two reports of a node about one check.
type Change struct {
	Time  time.Time `json:"time"` // of the later report
	ID    string    `json:"id"`
	Check string    `json:"check"`
	From  State     `json:"from,omitempty"` // "" if the check did not run before
	To    State     `json:"to"`
	// Appeared and Gone are findings of one of the two reports only. Of two findings with
	// the same object, the one is the old value of the other.
	Appeared []guard.Finding `json:"appeared,omitempty"`
	Gone     []guard.Finding `json:"gone,omitempty"`
	Error    string          `json:"error,omitempty"` // why To is unknown
	// Actor is who made the change, as far as it is known: the process, or the command of
	// cni-guard.
	Actor string `json:"actor,omitempty"`
	// Before are programs that were started right before, if it is not known who made the
	// change. One of them may have, or none.
	Before string `json:"before,omitempty"`
}

// Changes returns how a report differs from an earlier one. Of the empty report everything
// differs that is neither passed nor skipped.
func Changes(before, now Report) []Change {
	var all []Change
	for _, c := range now.Checks {
		was := Check{State: ""}
		if at := slices.IndexFunc(before.Checks, func(b Check) bool { return b.Name == c.Name }); at >= 0 {
			was = before.Checks[at]
		}
		change := Change{
			Time: now.Time, ID: c.ID, Check: c.Name, From: was.State, To: c.State, Actor: actor(before, now, c.Name),
			Appeared: missing(c.Findings, was.Findings), Gone: missing(was.Findings, c.Findings),
		}
		if c.State == Unknown {
			change.Error = c.Error
		}
		quiet := func(s State) bool { return s == Passed || s == Skipped || s == "" }
		if c.State == was.State && len(change.Appeared)+len(change.Gone) == 0 || quiet(c.State) && quiet(was.State) {
			continue
		}
		all = append(all, change)
	}
	return all
}

// missing returns the findings that are not among others. What differs each time, such as
// a count in the evidence, does not make another finding.
func missing(findings, others []guard.Finding) []guard.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f guard.Finding) bool {
		return slices.ContainsFunc(others, func(o guard.Finding) bool { return o.Object == f.Object && o.Problem == f.Problem })
	})
}

// actor returns who is on record for what is new about a check: the command of the guard
// whose incident came with the later report.
func actor(before, now Report, check string) string {
	for _, i := range slices.Backward(now.Incidents) {
		known := slices.ContainsFunc(before.Incidents, func(b Incident) bool { return b.Last.Equal(i.Last) && b.Message == i.Message })
		if i.Check == check && i.State == string(Repaired) && !known {
			return strings.TrimSpace("cni-guard " + i.Command)
		}
	}
	return ""
}

// String returns the change as one line: the check, the states from the old to the new one,
// and what appeared or is gone.
func (c Change) String() string {
	from := "not looked at"
	if c.From != "" {
		from = Word(c.From)
	}
	states := from + " -> " + Word(c.To)
	if c.From == c.To {
		states = Word(c.To)
	}
	var all []string
	gone := slices.Clone(c.Gone)
	for _, f := range c.Appeared {
		at := slices.IndexFunc(gone, func(g guard.Finding) bool { return g.Object == f.Object })
		if at < 0 {
			all = append(all, f.String())
			continue
		}
		all = append(all, fmt.Sprintf("%s %s -> %s", f.Object, gone[at].Problem, f.Problem))
		gone = slices.Delete(gone, at, at+1)
	}
	for _, f := range gone {
		all = append(all, "no longer: "+f.String())
	}
	if c.Error != "" {
		all = append(all, c.Error)
	}
	line := fmt.Sprintf("%s: %s", strings.TrimSpace(c.ID+" "+c.Check), states)
	if len(all) > 0 {
		line += ": " + strings.Join(all, "; ")
	}
	switch {
	case c.Actor != "":
		line += " (by " + c.Actor + ")"
	case c.Before != "":
		line += " (by whom is not known; started just before: " + c.Before + ")"
	}
	return line
}
