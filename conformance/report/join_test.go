// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/claim"
	"github.com/cni-guard/cni-guard/conformance/report"
)

// split makes a report of each runtime, as a run on it alone writes it.
func split(t *testing.T, whole report.Report) []report.Report {
	t.Helper()
	var parts []report.Report
	for i := range whole.Runtimes {
		part := whole
		part.Runtimes, part.Cells = whole.Runtimes[i:i+1], whole.Cells[i:i+1]
		var file bytes.Buffer
		if err := part.WriteJSON(&file); err != nil {
			t.Fatal(err)
		}
		var read report.Report
		if err := json.Unmarshal(file.Bytes(), &read); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, read)
	}
	return parts
}

func TestJoin(t *testing.T) {
	whole := sample()
	parts := split(t, whole)
	parts[0], parts[2] = parts[2], parts[0] // in whatever order they were played
	joined, err := report.Join(whole, parts...)
	if err != nil {
		t.Fatal(err)
	}
	if joined.Page() != whole.Page() {
		t.Errorf("got\n%s\nwant\n%s", joined.Page(), whole.Page())
	}
}

func TestJoinTakesTheLast(t *testing.T) {
	whole := sample()
	parts := split(t, whole)
	failed := split(t, whole)[1]
	failed.Cells[0].With = verdict(claim.Broken, "not so")
	joined, err := report.Join(whole, append([]report.Report{failed}, parts...)...)
	if err != nil || joined.Broken() != 0 {
		t.Errorf("played again, and well: %d are broken, %v", joined.Broken(), err)
	}
	if joined, err = report.Join(whole, append(parts, failed)...); err != nil || joined.Broken() != 1 {
		t.Errorf("played again, and broken: %d are broken, %v", joined.Broken(), err)
	}
}

func TestJoinRefuses(t *testing.T) {
	whole := sample()
	missing := split(t, whole)[:2]
	stale := split(t, whole)
	stale[1].Scenarios[0].Incident = "It was killed."
	versions := append(split(t, whole), split(t, whole)[0])
	versions[3].Runtimes[0].Version = "a 0.9"
	for want, parts := range map[string][]report.Report{
		"with the present text: killed on c":                   missing,
		"with the present text: killed on b":                   stale,
		"one was played on a 1, and one on a 0.9":              versions,
		"with the present text: killed on a, killed on b, kil": nil,
	} {
		if _, err := report.Join(whole, parts...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Join returns the error %v, want %q", err, want)
		}
	}
}
