// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The API server accepts what the chart makes for each distribution, strictly and without a
// warning, and the account of the agent may do what it needs and no more. It takes no node.
func TestServerSide(t *testing.T) {
	c := UpAPIServer(t)
	definitions, err := filepath.Glob(filepath.Join(c.bin, "crds", "*.yaml"))
	if err != nil || len(definitions) < 2 {
		t.Fatalf("%d custom resource definitions (%v): run scripts/cluster.sh", len(definitions), err)
	}
	for _, path := range definitions {
		c.Kubectl("apply", "--server-side", "-f", path)
	}
	c.Kubectl("wait", "--for=condition=Established", "customresourcedefinitions", "--all", "--timeout="+patience.String())
	// As docs/cluster.md says. The other one is what a namespace has without that label.
	// It comes first: the role bindings are for the account of the last one.
	for _, namespace := range [][2]string{{"refuses", "baseline"}, {"admits", "privileged"}} {
		name, level := namespace[0], namespace[1]
		c.Apply("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + name + "\n  labels: {pod-security.kubernetes.io/enforce: " + level + "}\n")
		// A pod needs its account, even where nothing is stored.
		c.Apply(c.template(t, name, "default", "--show-only", "templates/rbac.yaml"))
	}
	values, err := filepath.Glob(filepath.Join(chart, "ci", "*-values.yaml"))
	if err != nil || len(values) < 10 {
		t.Fatalf("%d files of values (%v)", len(values), err)
	}
	for _, file := range values {
		name := strings.TrimSuffix(filepath.Base(file), "-values.yaml")
		t.Run(name, func(t *testing.T) { dryRun(t, c.With(t), name) })
	}
	t.Run("misspelled", func(t *testing.T) {
		for _, name := range []string{"default", "monitoring"} {
			manifest := c.template(t, "admits", name)
			for _, key := range []string{"hostNetwork:", "podMetricsEndpoints:"} {
				if !strings.Contains(manifest, key) {
					continue
				}
				if out, err := c.dryApply(strings.Replace(manifest, key, "x"+key, 1)); err == nil {
					t.Errorf("the API server accepts x%s\n%s", key, out)
				}
			}
		}
	})
	t.Run("manifests", func(t *testing.T) {
		files, err := filepath.Glob("../../deploy/manifests/*.yaml")
		if err != nil || len(files) < 3 {
			t.Fatalf("%d manifests (%v)", len(files), err)
		}
		for _, file := range files {
			out, err := c.tool("kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", file).CombinedOutput()
			if err != nil || strings.Contains(string(out), "Warning") {
				t.Errorf("%s: %v\n%s", file, err, out)
			}
		}
	})
	t.Run("account", func(t *testing.T) { account(t, c.With(t)) })
}

// dryRun has the API server judge everything that the chart makes with the values, and a pod
// of the DaemonSet.
func dryRun(t *testing.T, c *Cluster, name string) {
	out, err := c.dryApply(withoutOpenShift(c.template(t, "admits", name)))
	if err != nil || strings.Contains(out, "Warning") {
		t.Errorf("kubectl apply --dry-run=server: %v\n%s", err, out)
	}
	cmd := c.tool("kubectl", "apply", "--dry-run=server", "-o", "json", "-f", "-")
	cmd.Stdin = strings.NewReader(c.template(t, "admits", name, "--show-only", "templates/daemonset.yaml"))
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Spec struct{ Template map[string]any }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	pod := set.Spec.Template
	pod["apiVersion"], pod["kind"] = "v1", "Pod"
	pod["metadata"].(map[string]any)["name"] = "cni-guard"
	const path = "/api/v1/namespaces/%s/pods?dryRun=All"
	if err := c.api.Create(fmt.Sprintf(path, "admits"), pod); err != nil {
		t.Errorf("a namespace with the label of docs/cluster.md refuses the pod: %v", err)
	}
	// The control: it is the label that admits it.
	if err := c.api.Create(fmt.Sprintf(path, "refuses"), pod); !hasCode(err, 403) || !strings.Contains(err.Error(), "violates PodSecurity") {
		t.Errorf("a namespace with another label says %v", err)
	}
}

// template returns what helm template makes of the chart with the values of ci/NAME-values.yaml.
func (c *Cluster) template(t *testing.T, namespace, name string, args ...string) string {
	t.Helper()
	args = append([]string{"template", release, chart, "--namespace", namespace, "--values", filepath.Join(chart, "ci", name+"-values.yaml")}, args...)
	out, err := c.tool("helm", args...).Output()
	if err != nil {
		exit, _ := err.(*exec.ExitError)
		t.Fatalf("helm template: %v\n%s", err, exit.Stderr)
	}
	return string(out)
}

// withoutOpenShift leaves out the objects of which only OpenShift has the definition.
func withoutOpenShift(manifest string) string {
	docs := strings.Split(manifest, "\n---\n")
	docs = slices.DeleteFunc(docs, func(doc string) bool { return strings.Contains(doc, "apiVersion: security.openshift.io/") })
	return strings.Join(docs, "\n---\n")
}

// dryApply returns what kubectl prints, warnings of the API server included.
func (c *Cluster) dryApply(manifest string) (string, error) {
	cmd := c.tool("kubectl", "apply", "--dry-run=server", "--validate=strict", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
