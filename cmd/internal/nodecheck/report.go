// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// SetOutcomes sets the Checks, Areas and Summary of a report to the outcomes of a run of
// suite. The exit code of the summary is that for failOn.
func SetOutcomes(r *report.Report, suite []*checks.Check, run guard.Report, failOn report.FailOn) {
	r.Checks = make([]report.Check, 0, len(run.Outcomes))
	for _, o := range run.Outcomes {
		r.Checks = append(r.Checks, newCheck(suite, o))
	}
	rank := func(c report.Check) int {
		return slices.IndexFunc(areas(), func(a checks.Area) bool { return a.Name == c.Area })
	}
	slices.SortStableFunc(r.Checks, func(a, b report.Check) int { return rank(a) - rank(b) })
	r.Areas = []report.Area{}
	for _, a := range areas() {
		if of := r.In(a.Name); len(of) > 0 {
			r.Areas = append(r.Areas, report.Area{Name: a.Name, Title: a.Title, State: report.Worst(of)})
		}
	}
	r.Summary = report.Summarize(r.Checks, r.Limits, failOn)
}

// areas returns all areas that a check can belong to.
func areas() []checks.Area { return append(checks.Areas(), checks.AreaOf("")) }

func newCheck(suite []*checks.Check, o guard.Outcome) report.Check {
	c := report.Check{Name: o.Check, State: report.StateOf(o), Policy: o.Policy.String(), Findings: slices.Clone(o.Findings)}
	if at := slices.IndexFunc(suite, func(c *checks.Check) bool { return c.Name == o.Check }); at >= 0 {
		c.ID = suite[at].ID
	}
	c.Area = checks.AreaOf(c.ID).Name
	for i := range c.Findings {
		if f := &c.Findings[i]; f.Remedy == "" {
			f.Remedy = o.Remedy
		}
	}
	c.Error = printable.Error(o.Err)
	if o.State == guard.Skipped {
		c.Skipped = strings.TrimPrefix(o.Note, "skipped: ")
	}
	return c
}

// A Program is the one that runs the checks.
type Program struct {
	Version string
	Mode    report.Mode
}

// NewReport returns the report of a run of suite on a node. It has no incidents; Incidents
// reads them.
func NewReport(n *node.Node, e node.GuardEntry, p Program, suite []*checks.Check, run guard.Report, failOn report.FailOn) report.Report {
	r := report.Report{
		SchemaVersion: report.SchemaVersion, Time: time.Now().UTC().Truncate(time.Second), Host: thisHost(),
		Version: p.Version, Mode: p.Mode, PolicyFrom: e.From, Incidents: []report.Incident{},
		Runtime: report.Runtime{
			Kind: n.Site.Runtime.Kind.String(), Name: cmp.Or(n.Site.Name, n.Site.Runtime.Kind.DisplayName()),
			ConfDir: n.Site.ConfDir, BinDirs: append([]string{}, n.Site.Runtime.BinDirs...), Assumed: n.Assumed, How: n.Notes,
		},
	}
	SetOutcomes(&r, suite, run, failOn)
	return r
}

// thisHost describes the host of this process. What cannot be read is left out.
func thisHost() report.Host {
	var h report.Host
	h.Name, _ = os.Hostname()
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		h.BootID = strings.TrimSpace(string(id))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		h.Kernel = strings.TrimSpace(string(release))
	}
	return h
}
