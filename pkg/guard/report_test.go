// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// all has one outcome of each state.
func all() guard.Report {
	return guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{
		{Check: "passes", State: guard.Passed, Policy: guard.Enforce, Remedy: "Rest."},
		{Check: "cannot-tell", State: guard.Unknown, Policy: guard.Enforce, Err: errors.New("read link: no buffer space"), Remedy: "Ask again."},
		{Check: "warns", State: guard.Failed, Policy: guard.Warn, Remedy: "Look at it.", Findings: []guard.Finding{{Object: "pod/eth0", Problem: "is down"}}},
		{Check: "fails", State: guard.Failed, Policy: guard.Enforce, Code: 8, Remedy: "Mend it.",
			Findings: []guard.Finding{{Object: "node/lo", Problem: "is down"}, {Object: "node/lo", Problem: "has no 127.0.0.1/8"}},
			Err:      errors.New("repair fails: operation not permitted")},
		{Check: "repaired", State: guard.Repaired, Policy: guard.Enforce, Findings: []guard.Finding{{Object: "node/lo", Problem: "was down"}}, Remedy: "Watch it."},
		{Check: "routine", State: guard.Repaired, Policy: guard.Enforce, Quiet: true, Findings: []guard.Finding{{Object: "pod/lo", Problem: "was down"}}},
		{Check: "waits", State: guard.Skipped, Policy: guard.Enforce, Note: "skipped because fails has a finding"},
	}}
}

func TestReportText(t *testing.T) {
	const want = `passed   passes
unknown  cannot-tell
         read link: no buffer space
failed   warns
         pod/eth0 is down
         remedy: Look at it.
failed   fails
         node/lo is down
         node/lo has no 127.0.0.1/8
         repair fails: operation not permitted
         remedy: Mend it.
repaired repaired
         node/lo was down
repaired routine
         pod/lo was down
skipped  waits
         skipped because fails has a finding
`
	if got := all().String(); got != want {
		t.Errorf("the report reads\n%s\nwant\n%s", got, want)
	}
	minor := guard.Report{Outcomes: []guard.Outcome{{Check: "small", State: guard.Failed, Findings: []guard.Finding{{Object: "file", Problem: "lies there", Minor: true}}, Remedy: "Look."}}}
	if got := minor.String(); got != "minor    small\n         file lies there\n         remedy: Look.\n" {
		t.Errorf("a report with a minor finding reads\n%s", got)
	}
	if got := (guard.Report{}).String(); got != "" {
		t.Errorf("an empty report reads %q", got)
	}
}

func TestReportJSON(t *testing.T) {
	const want = `{
  "stage": "ADD",
  "checks": [
    {
      "check": "passes",
      "state": "passed",
      "policy": "enforce"
    },
    {
      "check": "cannot-tell",
      "state": "unknown",
      "policy": "enforce",
      "error": "read link: no buffer space"
    },
    {
      "check": "warns",
      "state": "failed",
      "policy": "warn",
      "findings": [
        {
          "object": "pod/eth0",
          "problem": "is down"
        }
      ],
      "remedy": "Look at it."
    },
    {
      "check": "fails",
      "state": "failed",
      "policy": "enforce",
      "findings": [
        {
          "object": "node/lo",
          "problem": "is down"
        },
        {
          "object": "node/lo",
          "problem": "has no 127.0.0.1/8"
        }
      ],
      "error": "repair fails: operation not permitted",
      "remedy": "Mend it."
    },
    {
      "check": "repaired",
      "state": "repaired",
      "policy": "enforce",
      "findings": [
        {
          "object": "node/lo",
          "problem": "was down"
        }
      ]
    },
    {
      "check": "routine",
      "state": "repaired",
      "policy": "enforce",
      "findings": [
        {
          "object": "pod/lo",
          "problem": "was down"
        }
      ]
    },
    {
      "check": "waits",
      "state": "skipped",
      "policy": "enforce",
      "note": "skipped because fails has a finding"
    }
  ]
}`
	got, err := json.MarshalIndent(all(), "", "  ")
	if err != nil || string(got) != want {
		t.Errorf("the report is\n%s\nerror %v, want\n%s", got, err, want)
	}
	// A program that reads it must find a list, whatever ran.
	if got, err := json.Marshal(guard.Report{Stage: guard.Node}); err != nil || string(got) != `{"stage":"node","checks":[]}` {
		t.Errorf("an empty report is %s, error %v", got, err)
	}
}

func TestNoteworthy(t *testing.T) {
	var names []string
	for _, o := range all().Noteworthy() {
		names = append(names, o.Check)
	}
	if got, want := strings.Join(names, " "), "cannot-tell warns fails repaired"; got != want {
		t.Errorf("an operator hears of %s, want %s", got, want)
	}
}

func TestCNIError(t *testing.T) {
	e := all().CNIError()
	const (
		msg     = "fails: node/lo is down, node/lo has no 127.0.0.1/8"
		details = "repair fails: operation not permitted. Mend it. Read more: guardctl explain fails"
	)
	if e == nil || e.Code != 8 || e.Msg != msg || e.Details != details {
		t.Errorf("the error is %+v, want code 8, %q, %q", e, msg, details)
	}
	for name, c := range map[string]struct {
		report guard.Report
		code   uint // 0: no error
	}{
		"code of the check":  {guard.Report{Stage: guard.Del, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, Code: 8}}}, 8},
		"code of no check":   {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce}}}, 100},
		"STATUS":             {guard.Report{Stage: guard.Status, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, Code: 8}}}, 51},
		"the first of two":   {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, Code: 8}, {State: guard.Failed, Policy: guard.Enforce}}}, 8},
		"after a warning":    {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Warn, Code: 8}, {State: guard.Failed, Policy: guard.Enforce}}}, 100},
		"warning":            {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Warn}}}, 0},
		"zero policy":        {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed}}}, 0},
		"unknown":            {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Unknown, Policy: guard.Enforce}}}, 0},
		"repaired":           {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Repaired, Policy: guard.Enforce}}}, 0},
		"minor findings":     {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, Findings: []guard.Finding{{Minor: true}, {Minor: true}}}}}, 0},
		"minor and not":      {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, Findings: []guard.Finding{{Minor: true}, {}}}}}, 100},
		"STATUS, own code":   {guard.Report{Stage: guard.Status, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, Code: 8, StatusCode: 50}}}, 50},
		"ADD, not STATUS":    {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Failed, Policy: guard.Enforce, StatusCode: 50}}}, 100},
		"skipped":            {guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{{State: guard.Skipped, Policy: guard.Enforce}}}, 0},
		"nothing ran at all": {guard.Report{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := c.report.CNIError()
			if (e == nil) != (c.code == 0) || e != nil && e.Code != c.code {
				t.Errorf("the error is %+v, want code %d", e, c.code)
			}
		})
	}
}

// The refusal speaks of what refuses, and says what to do about just that.
func TestCNIErrorLeavesMinorFindingsOut(t *testing.T) {
	o := guard.Outcome{Check: "conflist", State: guard.Failed, Policy: guard.Enforce, Remedy: "Mend it.", Findings: []guard.Finding{
		{Object: "a", Problem: "is left over", Remedy: "Remove a.", Minor: true},
		{Object: "b", Problem: "wins", Remedy: "Remove b."},
		{Object: "c", Problem: "is broken"},
		{Object: "d", Problem: "is broken"},
	}}
	e := guard.Report{Stage: guard.Add, Outcomes: []guard.Outcome{o}}.CNIError()
	const (
		msg     = "conflist: b wins, c is broken, d is broken"
		details = "Remove b. Mend it. Read more: guardctl explain conflist"
	)
	if e == nil || e.Msg != msg || e.Details != details {
		t.Errorf("the error is %+v, want %q, %q", e, msg, details)
	}
	if got, want := strings.Join(o.Remedies(), " "), "Remove a. Remove b. Mend it."; got != want {
		t.Errorf("all remedies are %q, want %q", got, want)
	}
}

// The check's code and remedy reach the answer.
func TestRunToCNIError(t *testing.T) {
	c := probing(sound)
	c.Code = 8
	e := guard.Run(context.Background(), []*check{c}, guard.Add, guard.Settings{}, &world{broken: true}).CNIError()
	if e == nil || e.Code != 8 || e.Msg != "thing: world is broken" || e.Details != "Mend it. Read more: guardctl explain thing" {
		t.Errorf("the error is %+v", e)
	}
}

func TestStage(t *testing.T) {
	for stage, want := range map[guard.Stage]string{
		0:                         "",
		guard.Add:                 "ADD",
		guard.Add | guard.Del:     "ADD, DEL",
		guard.Verify:              "CHECK",
		guard.Status | guard.Node: "STATUS, node",
	} {
		if got := stage.String(); got != want {
			t.Errorf("stage %d is %q, want %q", stage, got, want)
		}
	}
}
