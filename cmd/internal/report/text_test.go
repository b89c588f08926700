// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

func TestBesideCommand(t *testing.T) {
	for _, c := range []struct{ remedy, command, want string }{
		{"Run x -a.", "x -a", ""},
		{"Run: x -a.", "x -a", ""},
		{"Run x -a, and keep /y.", "x -a", "Keep /y."},
		{"Run: x -a. Where z runs, set it there.", "x -a", "Where z runs, set it there."},
		{"Keep y from it: x -a. It holds later.", "x -a", "Keep y from it. It holds later."},
		{"Run x -a, which mends it.", "x -a", "Run x -a, which mends it."},
		{"Mend it.", "x -a", "Mend it."},
		{"Run x -a.", "", "Run x -a."},
	} {
		if got := report.BesideCommand(c.remedy, c.command); got != c.want {
			t.Errorf("%q without %q is %q, want %q", c.remedy, c.command, got, c.want)
		}
	}
}

// sample is a report with all that a report can have.
func sample() report.Report {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	failed := report.Check{
		ID: "CG301", Name: "ip-forwarding", Area: "node", State: report.Failed, Policy: "warn", Error: "read x: no answer",
		Findings: []guard.Finding{
			{Object: "node", Problem: "does not forward", Evidence: "/proc/sys/net/ipv4/ip_forward = 0", Impact: "pods reach nothing beyond the node", Remedy: "Run: sysctl -w net/ipv4/ip_forward=1.", Command: "sysctl -w net/ipv4/ip_forward=1", Since: at.Add(-time.Hour)},
			{Object: "node/x\x1b[31m", Problem: "is odd", Remedy: "Mend it.", Minor: true},
		},
	}
	r := report.Report{
		SchemaVersion: report.SchemaVersion, Time: at, Host: report.Host{Name: "node-1", BootID: "b", Kernel: "6.1"}, Version: "v1.0.0", Mode: report.Observe,
		Runtime:    report.Runtime{Kind: "containerd", Name: "k3s", ConfDir: "/etc/cni/net.d", BinDirs: []string{"/opt/cni/bin"}, How: []string{"it runs"}},
		PolicyFrom: "/etc/cni/net.d/10-a.conflist", Limits: []report.Limit{{What: "the rules of nftables", Why: "this process lacks CAP_NET_ADMIN", Remedy: "run guardctl as root", Checks: []string{"bridge-netfilter"}}},
		Areas: []report.Area{{Name: "sandbox", Title: "Sandboxes", State: report.Repaired}, {Name: "node", Title: "Node", State: report.Failed}, {Name: "tunnels", Title: "Tunnels", State: report.Passed}},
		Checks: []report.Check{
			{ID: "CG105", Name: "host-loopback", Area: "sandbox", State: report.Repaired, Policy: "enforce", Findings: []guard.Finding{{Object: "node/lo", Problem: "is down", Remedy: "Run x.", Change: "lo: down -> up"}}},
			failed,
			{ID: "CG302", Name: "bridge-netfilter", Area: "node", State: report.Skipped, Policy: "warn", Skipped: "no bridge"},
			{ID: "CG305", Name: "routing-rules", Area: "node", State: report.Unknown, Policy: "warn", Error: "read rules: denied"},
			{ID: "CG310", Name: "table-pressure", Area: "node", State: report.Minor, Policy: "warn", Findings: []guard.Finding{{Object: "node/t", Problem: "is nearly full", Remedy: "Wait.", Minor: true}}},
			{ID: "CG402", Name: "tunnel-peers", Area: "tunnels", State: report.Passed, Policy: "warn"},
		},
		Incidents: []report.Incident{{Time: at.Add(-time.Hour), Last: at, Count: 3, Check: "conflist", State: "warned", Command: "ADD", Pod: "default/web", Message: "conflist: x is y"}},
	}
	r.Summary = report.Summarize(r.Checks, r.Limits, report.DefaultFailOn())
	return r
}

func TestText(t *testing.T) {
	var b strings.Builder
	if err := sample().Text(&b, report.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	const want = `node-1, cni-guard v1.0.0, k3s, observe: nothing is changed
conf dir /etc/cni/net.d; policies and options from /etc/cni/net.d/10-a.conflist
could not look at: the rules of nftables, because this process lacks CAP_NET_ADMIN (which bridge-netfilter would have read); run guardctl as root

Sandboxes
  repaired CG105 host-loopback
    node/lo is down
      changed   lo: down -> up
    more      guardctl explain host-loopback

Node
  finding  CG301 ip-forwarding
    node does not forward
      evidence  /proc/sys/net/ipv4/ip_forward = 0
      effect    pods reach nothing beyond the node
      since     2026-01-02 02:04:05 UTC, as far as events say
      run       sysctl -w net/ipv4/ip_forward=1
    node/x\u001b[31m is odd (minor)
      do        Mend it.
    read x: no answer
    more      guardctl explain ip-forwarding
  unknown  CG305 routing-rules
    read rules: denied
    more      guardctl explain routing-rules
  minor    CG310 table-pressure
    node/t is nearly full
      do        Wait.
    more      guardctl explain table-pressure
  1 skipped

Tunnels: 1 passed

Incidents of the last 24 hours
  01-02 03:04:05 UTC warned   conflist: x is y; pod default/web; 3 times since 2026-01-02 02:04:05
  all: guardctl events --since 24h

Checks: 1 with findings, 1 unknown, 1 with minor findings, 1 repaired, 1 passed, 1 skipped. Exit code 1: at least one check has a finding.
`
	if b.String() != want {
		t.Errorf("the text is\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := sample().Text(&b, report.TextOptions{Verbose: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nit runs\n", "  passed   CG402 tunnel-peers\n", "  skipped  CG302 bridge-netfilter: no bridge\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the verbose text lacks %q:\n%s", want, b.String())
		}
	}
}

// The line for node-problem-detector fits, whatever names and errors it quotes.
func TestNPD(t *testing.T) {
	long := strings.Repeat("\u202e", 40) + strings.Repeat("ä", 100)
	for name, c := range map[string]struct {
		checks []report.Check
		want   string // the beginning
	}{
		"sample":  {sample().Checks, "CG301 ip-forwarding: node does not forward (+1)\n"},
		"well":    {nil, "no problem\n"},
		"minor":   {[]report.Check{{Name: "x", State: report.Minor, Findings: []guard.Finding{{Object: "a", Problem: "is b", Minor: true}}}}, "no problem; minor findings do not count\n"},
		"long":    {[]report.Check{{ID: "CG1", Name: "x", State: report.Failed, Findings: []guard.Finding{{Object: long, Problem: long}}}}, `CG1 x: \u202e`},
		"letters": {[]report.Check{{State: report.Unknown, Error: strings.Repeat("ä", 100)}}, ": could not tell: ää"},
	} {
		var b strings.Builder
		r := report.Report{Checks: c.checks, Summary: report.Summarize(c.checks, nil, report.DefaultFailOn())}
		if err := r.NPD(&b); err != nil {
			t.Fatal(err)
		}
		line, rest, _ := strings.Cut(b.String(), "\n")
		if len(line) > 80 || rest != "" || !strings.HasPrefix(b.String(), c.want) || !strings.HasPrefix(strings.ToValidUTF8(line, "?"), line) {
			t.Errorf("%s: %d bytes: %q", name, len(line), b.String())
		}
	}
}

func TestChanges(t *testing.T) {
	before, now := sample(), sample()
	now.Checks = append([]report.Check{}, now.Checks...)
	now.Checks[1] = report.Check{ID: "CG301", Name: "ip-forwarding", State: report.Failed, Findings: []guard.Finding{
		{Object: "node", Problem: "forwards half", Evidence: "other"}, {Object: "node/y", Problem: "is new"},
	}}
	now.Checks[3].State, now.Checks[3].Error = report.Passed, ""
	now.Checks[5] = report.Check{ID: "CG402", Name: "tunnel-peers", State: report.Unknown, Error: "no answer"}
	var lines []string
	for _, c := range report.Changes(before, now) {
		lines = append(lines, c.String())
	}
	const want = `CG301 ip-forwarding: finding: node does not forward -> forwards half; node/y is new; no longer: node/x` + "\x1b" + `[31m is odd
CG305 routing-rules: unknown -> passed
CG402 tunnel-peers: passed -> unknown: no answer`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("the changes are\n%q\nwant\n%q", got, want)
	}
	if same := report.Changes(before, sample()); len(same) > 0 {
		t.Errorf("nothing changed, and yet: %v", same)
	}
	if first := report.Changes(report.Report{}, sample()); len(first) != 4 {
		t.Errorf("at first there are %d changes, want 4: %v", len(first), first)
	}
	// A repair that came with the change is the guard's.
	now.Incidents = append(now.Incidents, report.Incident{Last: now.Time, Count: 1, Check: "routing-rules", State: "repaired", Command: "STATUS", Message: "m"})
	if c := report.Changes(before, now)[1]; c.Actor != "cni-guard STATUS" {
		t.Errorf("the actor is %q", c.Actor)
	}
}
