// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"github.com/cni-guard/cni-guard/cmd/cni-guard-agent/internal/metrics"
	"github.com/cni-guard/cni-guard/pkg/agent"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// full is a status in which everything is set.
func full() agent.Status {
	s := agent.Status{
		Profile: agent.Repair, Keep: agent.KeepReport, Started: time.Unix(1, 0), Loopback: "up",
		Looks:       agent.Looks{Full: 2, Quick: 3, LastFull: time.Unix(2, 0), LastDuration: time.Second},
		TunnelPeers: map[string]int{"answered": 2, "silent": 1},
	}
	for _, source := range []string{"netlink", "nftables", "files"} {
		s.Watches = append(s.Watches, agent.WatchStatus{Source: source, Events: true})
	}
	for i, state := range agent.CheckStates() {
		c := agent.CheckStatus{ID: fmt.Sprintf("CG10%d", i), Check: "check-" + state, State: state}
		if state == "failed" {
			c.Findings = []guard.Finding{{Object: "node/lo", Problem: "is down"}}
		}
		s.Checks = append(s.Checks, c)
	}
	s.Counters.ConfActions = map[string]map[string]uint64{"reinsert": {"done": 1}}
	return s
}

func collector() *metrics.Collector {
	return metrics.New("v1", full, func() metrics.Kubernetes {
		return metrics.Kubernetes{Enabled: true, Condition: "True", Writes: map[string]map[string]uint64{"event": {"ok": 1}}}
	})
}

// Every metric of the list is exported, well-formed, and documented; and no other is.
func TestMetrics(t *testing.T) {
	families, err := metrics.Registry(collector()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, error %v", problems, err)
	}
	var exported, listed []string
	for _, f := range families {
		exported = append(exported, f.GetName())
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if slices.Contains([]string{"pod", "peer", "namespace", "interface"}, label.GetName()) {
					t.Errorf("%s has the label %s", f.GetName(), label.GetName())
				}
			}
		}
	}
	for _, m := range metrics.Metrics() {
		listed = append(listed, m.Name)
	}
	slices.Sort(listed)
	if !slices.Equal(exported, listed) {
		t.Errorf("exported\n%q\nlisted\n%q", exported, listed)
	}
}

// The table of docs/agent.md is that of the code.
func TestMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../../docs/agent.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range metrics.Metrics() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(m.Labels, ", "), m.Help)
	}
	if !strings.Contains(string(doc), table.String()) {
		t.Errorf("docs/agent.md lacks this table:\n%s", &table)
	}
}

// A check that is in one state has 1 for that, and 0 for all others.
func TestStates(t *testing.T) {
	families, err := metrics.Registry(collector()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`cni_guard_check_state{check="check-failed",id="CG102",state="failed"} 1`,
		`cni_guard_check_state{check="check-failed",id="CG102",state="passed"} 0`,
		`cni_guard_findings{check="check-failed",id="CG102"} 1`,
		`cni_guard_node_condition{status="True"} 1`,
		`cni_guard_node_condition{status="False"} 0`,
		`cni_guard_tunnel_peers{state="silent"} 1`,
		`cni_guard_loopback_up 1`,
	} {
		if !strings.Contains(text.String(), want+"\n") {
			t.Errorf("missing: %s\n%s", want, &text)
		}
	}
}
