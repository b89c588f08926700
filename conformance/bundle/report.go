// SPDX-License-Identifier: Apache-2.0

package bundle

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Finding is one of doctor's. Two nodes have the same finding if all of it is the same.
type Finding struct {
	ID, Check string

	Object, Problem, Evidence, Impact, Remedy, Command string

	Minor bool
}

// String returns what a person reads first.
func (f Finding) String() string { return f.ID + " " + f.Check + ": " + f.Object + " " + f.Problem }

// A Report is what doctor said.
type Report []Outcome

// An Outcome is what doctor said of a check.
type Outcome struct {
	Name, ID, State, Error, Skipped string
	Findings                        []Finding
}

// Parse reads a report of guardctl doctor -o json.
func Parse(text []byte) (Report, error) {
	var all struct{ Checks Report }
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%w: %s", err, text)
	}
	if len(all.Checks) == 0 {
		return nil, errors.New("no check was run")
	}
	for _, c := range all.Checks {
		for i := range c.Findings {
			c.Findings[i].ID, c.Findings[i].Check = c.ID, c.Name
		}
	}
	return all.Checks, nil
}

// Findings returns all findings in the order of the report, with minor ones last.
func (r Report) Findings() (all []Finding) {
	for _, minor := range []bool{false, true} {
		for _, c := range r {
			for _, f := range c.Findings {
				if f.Minor == minor {
					all = append(all, f)
				}
			}
		}
	}
	return all
}

// verdicts returns the state of each check, and what it found, as text. The error of an
// unknown is no part of it: it names a time, or what was not recorded in time.
func (r Report) verdicts() map[string]string {
	all := map[string]string{}
	for _, c := range r {
		text := c.State + " " + c.Skipped
		for _, f := range c.Findings {
			type all Finding // without its String
			text += fmt.Sprintf("\n    %+v", all(f))
		}
		all[c.Name] = text
	}
	return all
}

// outlines returns the report without what differs between two looks at a node that does
// not change: the order of findings, what was counted, and when.
func (r Report) outlines() Report {
	all := slices.Clone(r)
	for i, c := range all {
		all[i].Skipped, all[i].Findings = withoutDigits(c.Skipped), nil
		for _, f := range c.Findings {
			all[i].Findings = append(all[i].Findings, Finding{ID: f.ID, Object: f.Object, Problem: withoutDigits(f.Problem), Minor: f.Minor})
		}
		slices.SortFunc(all[i].Findings, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Problem, b.Problem))
		})
	}
	return all
}

func withoutDigits(text string) string {
	return strings.Map(func(c rune) rune {
		if '0' <= c && c <= '9' {
			return -1
		}
		return c
	}, text)
}

// late reports whether a check had no time.
func (r Report) late(check string) bool {
	return slices.ContainsFunc(r, func(c Outcome) bool {
		return c.Name == check && strings.Contains(c.Error, "no answer in time")
	})
}

// differences returns what another Report says of the checks of this one that had time.
func (r Report) differences(other Report) (lines []string) {
	have, got := r.verdicts(), other.verdicts()
	for _, check := range slices.Sorted(maps.Keys(have)) {
		if have[check] != got[check] && !r.late(check) {
			lines = append(lines, fmt.Sprintf("%s: the node has %s\n  the bundle %s", check, have[check], got[check]))
		}
	}
	return lines
}
