// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/report"
)

func verdict(word claim.Word, why string) report.Run {
	return report.Run{Verdict: claim.Verdict{Word: word, Why: why}}
}

func sample() report.Report {
	spared := verdict(claim.NotHarmed, "it pins")
	return report.Report{
		Scenarios: []report.Scenario{{Name: "killed", Incident: "It is killed.", Harms: []claim.Claim{claim.NodeLo}, Holds: []claim.Claim{claim.NodeLo}}},
		Runtimes:  []report.Runtime{{"a", "a 1"}, {"b", "b 2"}, {"c", "c 3"}},
		Cells: []report.Cell{
			{"killed", "a", verdict(claim.Harmed, "lo"), verdict(claim.Held, "")},
			{"killed", "b", spared, verdict(claim.Held, "")},
			{"killed", "c", spared, verdict(claim.Held, "")},
		},
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := sample().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	want := `without / with the guard   a 1             b 2                 c 3
killed                     harmed / held   not harmed / held   not harmed / held

killed on b, c: not harmed: it pins

3 were played, and all are as they should be, after 0s.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// Scenarios of which the same is to be said share a line.
func TestRemarksAreShared(t *testing.T) {
	r := sample()
	r.Scenarios = append(r.Scenarios, report.Scenario{Name: "lost", Holds: r.Scenarios[0].Holds})
	for _, c := range r.Cells[1:] {
		c.Scenario = "lost"
		r.Cells = append(r.Cells, c)
	}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	if want := "\nkilled, lost on b, c: not harmed: it pins\n"; strings.Count(b.String(), "it pins") != 1 || !strings.Contains(b.String(), want) {
		t.Errorf("%q is not once in\n%s", want, b.String())
	}
}

func TestTableSaysWhatBroke(t *testing.T) {
	r := sample()
	r.Cells[0].With = verdict(claim.Broken, "not so: the node's lo is up")
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"harmed / BROKEN", "killed on a: BROKEN with the guard: not so: the node's lo is up", "1 of 3 are BROKEN"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

// What the guard could not prevent must not look like what it did.
func TestLimits(t *testing.T) {
	r := sample()
	r.Scenarios[0].Limits = []claim.Claim{claim.RightNetwork}
	r.Cells[0].With = verdict(claim.Mended, "it is not called")
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	for text, wants := range map[string][]string{
		table.String(): {"harmed / mended", "killed on a: mended: it is not called", "3 were played, and all are as they should be"},
		r.Page():       {"harmed / mended", "* killed on a: mended: it is not called\n", "until an operator repairs the node:\n\n* " + string(claim.RightNetwork) + "\n"},
	} {
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
}

func TestPageHasItsParts(t *testing.T) {
	page := sample().Page()
	for _, want := range append(sample().Parts(),
		"| scenario | a 1 | b 2 | c 3 |\n|---|---|---|---|\n| [killed](#killed) | harmed / held | not harmed / held | not harmed / held |\n",
		"* killed on b, c: not harmed: it pins\n",
		"### killed\n\nIt is killed.\n\nWithout the guard these no longer hold:\n\n* the node's lo is up\n",
	) {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks\n%s", want)
		}
	}
}

func TestRelevantLines(t *testing.T) {
	var log strings.Builder
	for i := range 100 {
		fmt.Fprintf(&log, "level=info msg=boring\nlevel=warning msg=\"failed to load plugin io.containerd.snapshotter.v1.zfs\"\nlevel=error msg=\"trouble %d\"\n", i)
	}
	log.WriteString("level=info msg=\"loading cni config\" " + strings.Repeat("x", 10_000) + "\n")
	lines := report.Relevant(log.String())
	if len(lines) != 25 || lines[0] != `level=error msg="trouble 76"` || len(lines[24]) > 700 {
		t.Errorf("got %d lines: %.2000q", len(lines), lines)
	}
	if lines := report.Relevant(""); len(lines) != 0 {
		t.Errorf("of an empty log there are %q", lines)
	}
}
