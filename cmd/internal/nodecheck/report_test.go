// SPDX-License-Identifier: Apache-2.0

package nodecheck_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/nodecheck"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

func TestSetOutcomes(t *testing.T) {
	suite := []*checks.Check{{ID: "CG301", Name: "forwarding"}, {ID: "CG101", Name: "netns"}, {ID: "CG302", Name: "bridge"}, {Name: "odd"}}
	run := guard.Report{Stage: guard.Node, Outcomes: []guard.Outcome{
		{Check: "forwarding", State: guard.Failed, Policy: guard.Warn, Remedy: "Mend it.", Findings: []guard.Finding{{Object: "a", Problem: "is b"}, {Object: "c", Problem: "is d", Remedy: "Run d."}}},
		{Check: "netns", State: guard.Unknown, Policy: guard.Enforce, Err: errors.Join(errors.New("x"), errors.New("y"))},
		{Check: "bridge", State: guard.Skipped, Policy: guard.Warn, Note: "skipped: no bridge"},
		{Check: "odd", State: guard.Failed, Policy: guard.Warn, Findings: []guard.Finding{{Object: "a", Problem: "is b", Minor: true}}},
	}}
	var r report.Report
	nodecheck.SetOutcomes(&r, suite, run, report.DefaultFailOn())
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Area+"/"+c.ID+"/"+c.Name+"/"+string(c.State))
	}
	if want := []string{"sandbox/CG101/netns/unknown", "node/CG301/forwarding/failed", "node/CG302/bridge/skipped", "other//odd/minor"}; !slices.Equal(names, want) {
		t.Errorf("the checks are %q, want %q", names, want)
	}
	if c := r.Checks[0]; c.Error != "x; y" || c.Policy != "enforce" {
		t.Errorf("the first check is %+v", c)
	}
	if c := r.Checks[1]; c.Findings[0].Remedy != "Mend it." || c.Findings[1].Remedy != "Run d." || run.Outcomes[0].Findings[0].Remedy != "" {
		t.Errorf("the remedies are wrong: %+v", c.Findings)
	}
	if c := r.Checks[2]; c.Skipped != "no bridge" {
		t.Errorf("the third check is %+v", c)
	}
	if len(r.Areas) != 3 || r.Areas[1].State != report.Failed || r.Areas[1].Title != "Node" {
		t.Errorf("the areas are %+v", r.Areas)
	}
	if s := r.Summary; s.State != report.Failed || s.Failed != 1 || s.Minor != 1 || s.Unknown != 1 || s.Skipped != 1 || s.ExitCode != 1 {
		t.Errorf("the summary is %+v", s)
	}
}
