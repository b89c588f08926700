// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"strings"
)

// A FailOn says which results an exit code other than 0 stands for. The zero FailOn
// stands for none of them.
type FailOn struct {
	Findings bool // exit code 1
	Minor    bool // minor findings count like others
	Unknown  bool // exit code 2, without findings
}

// DefaultFailOn returns what counts unless the user says otherwise: findings that are not
// minor, and unknown results.
func DefaultFailOn() FailOn { return FailOn{Findings: true, Unknown: true} }

// FailOnWords returns the words that ParseFailOn accepts.
func FailOnWords() []string { return []string{"finding", "minor", "unknown", "never"} }

// ParseFailOn returns what the words stand for. The word minor includes finding; never
// stands alone.
func ParseFailOn(words []string) (FailOn, error) {
	var f FailOn
	for _, word := range words {
		switch word {
		case "finding":
			f.Findings = true
		case "minor":
			f.Findings, f.Minor = true, true
		case "unknown":
			f.Unknown = true
		case "never":
			if len(words) > 1 {
				return f, fmt.Errorf("never stands alone, and not with %s", strings.Join(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "never" }), ", "))
			}
		default:
			return f, fmt.Errorf("%q is none of %s", word, strings.Join(FailOnWords(), ", "))
		}
	}
	return f, nil
}

// Summarize counts the checks and says which exit code they stand for. Limits whose Checks
// are among them count as unknown.
func Summarize(all []Check, limits []Limit, failOn FailOn) Summary {
	s := Summary{State: Worst(all)}
	for _, c := range all {
		switch c.State {
		case Passed:
			s.Passed++
		case Failed:
			s.Failed++
		case Minor:
			s.Minor++
		case Repaired:
			s.Repaired++
		case Skipped:
			s.Skipped++
		case Unknown:
			s.Unknown++
		}
	}
	for _, c := range all {
		if slices.ContainsFunc(limits, func(l Limit) bool { return slices.Contains(l.Checks, c.Name) }) {
			s.Limited++
		}
	}
	s.ExitCode, s.Meaning = s.exit(failOn)
	return s
}

// exit returns the exit code, one of package cli, and what it means.
func (s Summary) exit(failOn FailOn) (code int, meaning string) {
	switch {
	case s.Failed > 0 && failOn.Findings:
		return 1, "at least one check has a finding"
	case s.Minor > 0 && failOn.Minor:
		return 1, "at least one check has a minor finding"
	case s.Unknown > 0 && failOn.Unknown:
		return 2, "no finding, but at least one check could not tell"
	case s.Limited > 0 && failOn.Unknown:
		return 2, "no finding, but at least one check could not look at all that it reads"
	case s.Failed > 0, s.Unknown > 0, s.Limited > 0:
		return 0, "what was found does not count by --fail-on"
	case s.Minor > 0:
		return 0, "no problem; minor findings do not count"
	}
	return 0, "no problem"
}
