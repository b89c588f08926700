// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program returns the path of prometheus or promtool.
func program(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(os.Getenv("CNI_GUARD_PROMETHEUS"), name)
	if _, err := os.Stat(path); err != nil || !filepath.IsAbs(path) {
		if os.Getenv("REQUIRE_ALL") == "1" {
			t.Fatalf("%s is missing: CNI_GUARD_PROMETHEUS names the directory that scripts/prometheus.sh makes", name)
		}
		t.Skipf("%s is missing: CNI_GUARD_PROMETHEUS names the directory that scripts/prometheus.sh makes", name)
	}
	return path
}

// alerts is the directory of the rules and of their tests.
const alerts = "../../deploy/alerts"

func promtool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(program(t, "promtool"), args...)
	cmd.Dir = alerts
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// Every alert fires in its incident and clears after it, with all its words.
func TestRules(t *testing.T) {
	promtool(t, "check", "rules", "cni-guard.yaml")
	promtool(t, "test", "rules", "cni-guard.test.yaml")
}
