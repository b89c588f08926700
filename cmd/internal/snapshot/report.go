// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"fmt"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Complete gives a report on the snapshot the host, the time and the incidents of the
// node, which the machine that judges it does not have. Incidents that were older than
// recent are left out.
func (s *Snapshot) Complete(r *report.Report, recent time.Duration) {
	r.Time, r.Host, r.Incidents = s.facts.Time.Truncate(time.Second), s.Report.Host, []report.Incident{}
	for _, i := range s.Report.Incidents {
		if i.Last.After(s.facts.Time.Add(-recent)) {
			r.Incidents = append(r.Incidents, i)
		}
	}
	for _, c := range r.Checks {
		for i := range c.Findings {
			c.Findings[i].Since = s.since(c.Name, c.Findings[i])
		}
	}
	r.Limits = []report.Limit{{
		What: "what was not read then",
		Why:  fmt.Sprintf("this is judged from a bundle that guardctl %s made on %s at %s", s.Manifest.GuardVersion, s.Manifest.Host, s.Manifest.Created.Format(time.RFC3339)),
	}}
	for _, limit := range s.Manifest.Limits {
		r.Limits = append(r.Limits, report.Limit{What: limit})
	}
}

// since returns since when there is a finding, as the report of the node has it.
func (s *Snapshot) since(check string, f guard.Finding) time.Time {
	for _, c := range s.Report.Checks {
		for _, then := range c.Findings {
			if c.Name == check && then.Object == f.Object && then.Problem == f.Problem {
				return then.Since
			}
		}
	}
	return f.Since
}
