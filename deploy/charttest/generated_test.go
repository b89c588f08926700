// SPDX-License-Identifier: Apache-2.0

package charttest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The plain manifests are what the chart makes.
func TestManifests(t *testing.T) {
	for file, values := range map[string]map[string]any{
		"install.yaml":   nil,
		"observe.yaml":   {"profile": "observe", "guard": map[string]any{"mode": "audit", "loopback": false}},
		"uninstall.yaml": {"mode": "uninstall"},
	} {
		t.Run(file, func(t *testing.T) {
			docs, err := render(t, values)
			if err != nil {
				t.Fatal(err)
			}
			text := "# Made from deploy/helm/cni-guard by scripts/manifests.sh. Set the image to one of your registry:\n# see docs/cluster.md.\n---\n" + strings.Join(docs, "---\n")
			text = strings.ReplaceAll(text, "app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl")
			path := filepath.Join("../manifests", file)
			if *update {
				if err := os.MkdirAll("../manifests", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if have, err := os.ReadFile(path); err != nil || string(have) != text {
				t.Errorf("%s is stale: run scripts/manifests.sh (%v)", path, err)
			}
		})
	}
}

// The chart has copies of the rules and of the dashboard: Helm reads no file outside of it.
func TestCopies(t *testing.T) {
	for of, copied := range map[string]string{"../alerts/cni-guard.yaml": "alerts.yaml", "../grafana/cni-guard.json": "dashboard.json"} {
		a, err := os.ReadFile(of)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(chartDir, "files", copied)); err != nil || string(a) != string(b) {
			t.Errorf("the chart's copy of %s is stale: run scripts/manifests.sh (%v)", of, err)
		}
	}
}

func alerts(t *testing.T) ruleFile {
	t.Helper()
	data, err := os.ReadFile("../alerts/cni-guard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules ruleFile
	if err := yaml.UnmarshalStrict(data, &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

// The chart's rules and dashboard arrive in the cluster as they are in the files.
func TestMonitoringIsWhole(t *testing.T) {
	all := objects(t, scenarios(t)["monitoring"])
	if got := one[prometheusRule](t, all).Spec; !reflect.DeepEqual(got, alerts(t)) {
		t.Errorf("the PrometheusRule differs from deploy/alerts: %+v", got)
	}
	var dashboard, want any
	if err := json.Unmarshal([]byte(one[corev1.ConfigMap](t, all).Data["cni-guard.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../grafana/cni-guard.json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil || !reflect.DeepEqual(dashboard, want) {
		t.Errorf("the ConfigMap differs from deploy/grafana (%v)", err)
	}
	if monitor := one[podMonitor](t, all); monitor.Spec.PodMetricsEndpoints[0].Port != "metrics" {
		t.Errorf("the PodMonitor scrapes %q", monitor.Spec.PodMetricsEndpoints[0].Port)
	}
}

// Every alert has a severity, a runbook that exists, and a test with promtool.
func TestAlerts(t *testing.T) {
	runbook, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("../alerts/cni-guard.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s has the severity %q", r.Alert, s)
			}
			if want := "https://github.com/cni-guard/cni-guard/blob/main/docs/alerts.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
				t.Errorf("the runbook of %s is %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
			}
			if !strings.Contains(string(runbook), "\n## "+r.Alert+"\n") {
				t.Errorf("docs/alerts.md has no section %s", r.Alert)
			}
			if !strings.Contains(string(tests), "name: "+r.Alert+"\n") {
				t.Errorf("%s has no test in deploy/alerts/cni-guard.test.yaml", r.Alert)
			}
		}
	}
}

func TestSystemdUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatal("systemd-analyze is missing")
		}
		t.Skip("systemd-analyze is missing")
	}
	unit, err := os.ReadFile("../systemd/cni-guard-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	const program = "/usr/local/bin/cni-guard-agent"
	if !strings.Contains(string(unit), "ExecStart="+program) {
		t.Fatalf("the unit does not start %s", program)
	}
	for name, test := range map[string]struct {
		unit  string
		wrong bool
	}{
		"as it is":   {unit: string(unit)},
		"misspelled": {unit: strings.Replace(string(unit), "NoNewPrivileges=", "NoNewPrivilege=", 1), wrong: true}, // systemd-analyze sees it
	} {
		path := filepath.Join(t.TempDir(), "cni-guard-agent.service")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(test.unit, program, "/bin/true")), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
		if complains := err != nil || strings.Contains(string(out), "cni-guard-agent.service"); complains != test.wrong {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
