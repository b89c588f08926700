// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
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

func sh(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// start runs a program until the test ends, and returns it.
func start(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), out.String())
		}
	})
	return cmd
}

// A monitor is a Prometheus that scrapes the agent every second.
type monitor struct{ t *testing.T }

// query asks for the value of an expression, with the variables of Grafana set.
func (m monitor) query(expr string) (results []struct {
	Metric map[string]string
}) {
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
		results = append(results, struct{ Metric map[string]string }{r.Metric})
	}
	return results
}

func (m monitor) await(what string, done func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			m.t.Fatalf("within %s %s", patience, what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (m monitor) firing(alert string) bool {
	return len(m.query(fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing"}`, alert))) > 0
}

// answers is a plugin that answers VERSION.
const answers = "#!/bin/sh\necho '{\"cniVersion\":\"1.0.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'\n"

// newMonitor starts an agent that observes, and a Prometheus with our rules. The times for
// which an alert waits are those of the rules in hundredths; TestRules tries the real ones.
func newMonitor(t *testing.T) *exec.Cmd {
	t.Helper()
	bin, err := filepath.Abs(os.Getenv("CNI_GUARD_BIN"))
	if err != nil || os.Getenv("CNI_GUARD_BIN") == "" || os.Getenv("CNI_GUARD_NODE") != "private" {
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatal("this needs CNI_GUARD_BIN and a private node")
		}
		t.Skip("this needs CNI_GUARD_BIN and a private node")
	}
	prometheus := program(t, "prometheus")
	dir := t.TempDir()
	confDir := filepath.Join(dir, "conf")
	sh(t, `ip netns add monitor
		ip link add monitor0 type veth peer name eth0 netns monitor
		ip addr add `+nodeAddress+`/24 dev monitor0 && ip link set monitor0 up
		ip -n monitor addr add `+monitorAddress+`/24 dev eth0 && ip -n monitor link set eth0 up && ip -n monitor link set lo up`)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", "monitor").Run() })
	for path, content := range map[string]string{
		"conf/10-net.conflist": `{"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "bridge", "bridge": "br0"}, {"type": "cni-guard"}]}`,
		"bin/bridge":           answers, "bin/loopback": answers,
		"prometheus.yaml": `{global: {scrape_interval: 1s, evaluation_interval: 1s}, rule_files: [rules.yaml],
			scrape_configs: [{job_name: kube-system/cni-guard, static_configs: [{targets: ["` + nodeAddress + `:9798"], labels: {node: n1}}]}]}`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sh(t, "cp "+bin+"/cni-guard "+bin+"/guardctl "+dir+"/bin")
	rules, err := os.ReadFile(alerts + "/cni-guard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules = regexp.MustCompile(`(?m)^    for: .*$`).ReplaceAll(rules, []byte("    for: 2s"))
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), rules, 0o644); err != nil {
		t.Fatal(err)
	}
	agent := start(t, filepath.Join(bin, "cni-guard-agent"), "--profile", "observe", "--metrics-address", nodeAddress+":9798", "--kubernetes", "off",
		"--socket", filepath.Join(dir, "agent.sock"), "--lock", filepath.Join(dir, "lock"), "--look-every", "10s", "--warm-tunnels=false",
		"--runtime", "containerd", "--conf-dir", confDir, "--bin-dir", filepath.Join(dir, "bin"), "--record-dir", filepath.Join(dir, "record"))
	start(t, "ip", "netns", "exec", "monitor", prometheus, "--config.file", filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", monitorAddress+":9090")
	m := monitor{t}
	m.await("Prometheus has no look of the agent", func() bool { return len(m.query("cni_guard_last_look_timestamp_seconds")) > 0 })
	return agent
}

// A real agent that observes is scraped by a real Prometheus: every query of the dashboard
// has data, the alert of lo fires and clears, and that of a dead agent fires. TestRules has
// the other alerts.
func TestIncidents(t *testing.T) {
	agent := newMonitor(t)
	t.Run("dashboard", func(t *testing.T) { dashboard(monitor{t}) })
	for _, incident := range []struct{ name, alert, begins, ends string }{
		{"lo down", "CniGuardLoopbackDown", "ip link set lo down", "ip link set lo up"},
	} {
		t.Run(incident.name, func(t *testing.T) {
			m := monitor{t}
			m.await(incident.alert+" fires before the incident", func() bool { return !m.firing(incident.alert) })
			sh(t, incident.begins)
			m.await(incident.alert+" does not fire", func() bool { return m.firing(incident.alert) })
			sh(t, incident.ends)
			m.await(incident.alert+" does not clear", func() bool { return !m.firing(incident.alert) })
		})
	}
	t.Run("agent killed", func(t *testing.T) {
		m := monitor{t}
		_ = agent.Process.Kill()
		m.await("CniGuardAgentDown does not fire", func() bool { return m.firing("CniGuardAgentDown") })
	})
}

// dashboard asks every query of the dashboard. A panel that has data only under a condition
// says so in its description.
func dashboard(m monitor) {
	m.t.Helper()
	data, err := os.ReadFile("../../deploy/grafana/cni-guard.json")
	if err != nil {
		m.t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title, Description string
			Targets            []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil || len(board.Panels) < 10 {
		m.t.Fatalf("%d panels, %v", len(board.Panels), err)
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			if strings.HasPrefix(panel.Description, "Has data") {
				m.query(target.Expr) // it is valid
				continue
			}
			m.await(fmt.Sprintf("%s has no data: %s", panel.Title, target.Expr), func() bool { return len(m.query(target.Expr)) > 0 })
		}
	}
}
