// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// patience is how long anything may take: a busy machine is no failure.
const patience = 5 * time.Minute

// The addresses of the node and of Prometheus, which is in a namespace of its own: with lo
// down a node does not reach its own addresses.
const (
	nodeAddress    = "192.0.2.1"
	monitorAddress = "192.0.2.2"
)

// A monitor is a Prometheus that scrapes the agent every second.
type monitor struct{ t *testing.T }

// newMonitor starts a Prometheus with our rules in the namespace "monitor".
func newMonitor(t *testing.T, dir string) {
	t.Helper()
	write(t, dir+"/prometheus.yaml", `{global: {scrape_interval: 1s, evaluation_interval: 1s}, rule_files: [rules.yaml],
		scrape_configs: [{job_name: kube-system/cni-guard, static_configs: [{targets: ["`+nodeAddress+`:9798"], labels: {node: n1}}]}]}`)
	write(t, dir+"/rules.yaml", hasty(t))
	start(t, nil, "ip", "netns", "exec", "monitor", program(t, "prometheus"), "--config.file", dir+"/prometheus.yaml",
		"--storage.tsdb.path", dir+"/data", "--web.listen-address", monitorAddress+":9090")
}

// window is the range of every rule that counts in one.
const window = 30 * time.Second

// hasty returns the rules with other times, and with thresholds for these: an alert waits
// for two seconds, counts within half a minute, and calls looks stale after 25 seconds.
// TestRules tries them as they are.
func hasty(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(alerts + "/cni-guard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules := string(data)
	for _, r := range [][2]string{
		{`(?m)^    for: .*$`, "    for: 2s"},
		{`\[\d+[mh]\]`, fmt.Sprintf("[%.0fs]", window.Seconds())},
		{`> 300\b`, "> 25"},
		{`> 10\b`, "> 2"},
	} {
		old := regexp.MustCompile(r[0])
		if !old.MatchString(rules) {
			t.Fatalf("the rules have no %s", r[0])
		}
		rules = old.ReplaceAllString(rules, r[1])
	}
	return rules
}

// alertNames returns the names of all alerts.
func alertNames(t *testing.T) (names []string) {
	t.Helper()
	data, err := os.ReadFile(alerts + "/cni-guard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^  - alert: (\w+)$`).FindAllStringSubmatch(string(data), -1) {
		names = append(names, m[1])
	}
	return names
}

// query asks for the value of an expression, with the variables of Grafana set.
func (m monitor) query(expr string) (results []map[string]string) {
	m.t.Helper()
	expr = strings.ReplaceAll(expr, "$__rate_interval", "1m")
	response, err := http.Get("http://" + monitorAddress + ":9090/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil // it is starting
	}
	defer response.Body.Close() //nolint:errcheck // read only
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil
	}
	if answer.Error != "" && answer.Status == "error" && response.StatusCode == http.StatusBadRequest {
		m.t.Fatalf("%s: %s", expr, answer.Error)
	}
	for _, r := range answer.Data.Result {
		results = append(results, r.Metric)
	}
	return results
}

// await waits until something is done; it calls again, if that is not nil, every few
// seconds until then.
func (m monitor) await(what string, again func(), done func() bool) {
	m.t.Helper()
	last := time.Now()
	for deadline := last.Add(patience); !done(); {
		if time.Now().After(deadline) {
			m.t.Fatalf("within %s %s", patience, what)
		}
		time.Sleep(200 * time.Millisecond)
		if again != nil && time.Since(last) > 3*time.Second {
			again()
			last = time.Now()
		}
	}
}

// firing reports whether an alert fires, for a check if that is not "".
func (m monitor) firing(alert, check string) bool {
	selector := fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing"`, alert)
	if check != "" {
		selector += fmt.Sprintf(",check=%q", check)
	}
	return len(m.query(selector+"}")) > 0
}

// dashboard asks every query of the dashboard for data.
func (m monitor) dashboard() {
	m.t.Helper()
	data, err := os.ReadFile(filepath.FromSlash("../../deploy/grafana/cni-guard.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil || len(board.Panels) < 10 {
		m.t.Fatalf("%d panels, %v", len(board.Panels), err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			m.await(fmt.Sprintf("%s has no data: %s", panel.Title, target.Expr), nil, func() bool { return len(m.query(target.Expr)) > 0 })
		}
	}
}
