// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/cli"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// The configuration for node-problem-detector that is shipped runs guardctl with arguments
// that it takes; the exit codes and the length of the message are those of custom plugins.
func TestNodeProblemDetector(t *testing.T) {
	checktest.PrivateNode(t)
	text, err := os.ReadFile("../../deploy/npd/cni-guard.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		PluginConfig struct {
			MaxOutputLength int `json:"max_output_length"`
		}
		Conditions []struct{ Type string }
		Rules      []struct {
			Condition, Path string
			Args            []string
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.Rules) != 1 || len(config.Conditions) != 1 || config.Rules[0].Condition != config.Conditions[0].Type || !strings.HasSuffix(config.Rules[0].Path, "/guardctl") {
		t.Fatalf("the configuration is %+v", config)
	}
	for _, conf := range []string{t.TempDir(), t.TempDir() + "/missing"} {
		var stdout, stderr bytes.Buffer
		code := run(&stdout, &stderr, append(config.Rules[0].Args, "--conf-dir", conf, "--runtime", "containerd"))
		line, rest, _ := strings.Cut(stdout.String(), "\n")
		if code != cli.ExitFindings && code != cli.ExitUnknown || line == "" || len(line) > config.PluginConfig.MaxOutputLength || rest != "" {
			t.Errorf("with conf dir %s: exit code %d, %q\n%s", conf, code, stdout.String(), &stderr)
		}
	}
}
