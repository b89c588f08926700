// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
)

func TestExitCode(t *testing.T) {
	for _, c := range []struct {
		states string // of the checks
		failOn string // "": the default
		code   int
	}{
		{"", "", 0},
		{"passed skipped repaired", "", 0},
		{"minor", "", 0},
		{"minor", "minor", 1},
		{"failed", "", 1},
		{"failed unknown", "", 1},
		{"unknown minor", "", 2},
		{"failed", "minor", 1},
		{"failed", "unknown", 0},
		{"failed unknown", "unknown", 2},
		{"unknown", "finding", 0},
		{"failed", "finding", 1},
		{"failed unknown minor", "never", 0},
		{"minor", "minor,unknown", 1},
		{"unknown", "minor,unknown", 2},
		{"passed limited", "", 2},
		{"failed limited", "", 1},
		{"limited", "finding", 0},
	} {
		failOn := report.DefaultFailOn()
		if c.failOn != "" {
			var err error
			if failOn, err = report.ParseFailOn(strings.Split(c.failOn, ",")); err != nil {
				t.Fatal(err)
			}
		}
		var all []report.Check
		for _, state := range strings.Fields(c.states) {
			if state == "limited" {
				all = append(all, report.Check{Name: state, State: report.Skipped})
				continue
			}
			all = append(all, report.Check{State: report.State(state)})
		}
		limits := []report.Limit{{What: "x", Checks: []string{"limited", "not run"}}}
		if s := report.Summarize(all, limits, failOn); s.ExitCode != c.code || s.Meaning == "" {
			t.Errorf("%q with --fail-on %q: exit code %d (%s), want %d", c.states, c.failOn, s.ExitCode, s.Meaning, c.code)
		}
	}
	for _, words := range []string{"findings", "never,unknown", ""} {
		if _, err := report.ParseFailOn(strings.Split(words, ",")); err == nil {
			t.Errorf("--fail-on %q is accepted", words)
		}
	}
}
