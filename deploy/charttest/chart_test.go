// SPDX-License-Identifier: Apache-2.0

package charttest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the generated files")

const (
	chartDir  = "../helm/cni-guard"
	namespace = "kube-system"
)

func kubeVersion(t *testing.T) common.KubeVersion {
	t.Helper()
	v, err := common.ParseKubeVersion("v1.36.0")
	if err != nil {
		t.Fatal(err)
	}
	return *v
}

// scenarios returns the values of ci/ by name: "k3s".
func scenarios(t *testing.T) map[string]map[string]any {
	t.Helper()
	paths, err := filepath.Glob(chartDir + "/ci/*-values.yaml")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d files in ci/ (%v)", len(paths), err)
	}
	all := map[string]map[string]any{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]any{}
		if err := yaml.UnmarshalStrict(data, &values); err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		all[strings.TrimSuffix(filepath.Base(path), "-values.yaml")] = values
	}
	return all
}

// render does what helm template does, and returns the documents in the order of their templates.
func render(t *testing.T, values map[string]any) ([]string, error) {
	t.Helper()
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	capabilities := *common.DefaultCapabilities
	capabilities.KubeVersion = kubeVersion(t)
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: "cni-guard", Namespace: namespace, Revision: 1, IsInstall: true}, &capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	var docs []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for reader := yamlutil.NewYAMLReader(bufio.NewReader(strings.NewReader(files[name]))); ; {
			doc, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("split %s: %w", name, err)
			}
			if text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(doc)), "---")); text != "" {
				docs = append(docs, text+"\n")
			}
		}
	}
	return docs, nil
}

// decode decodes a document strictly as the type of its kind: an unknown field is an error.
func decode(doc string) (any, error) {
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(doc), &meta); err != nil {
		return nil, err
	}
	var into any
	switch kind := meta.APIVersion + " " + meta.Kind; kind {
	case "apps/v1 DaemonSet":
		into = &appsv1.DaemonSet{}
	case "v1 ServiceAccount":
		into = &corev1.ServiceAccount{}
	case "v1 ConfigMap":
		into = &corev1.ConfigMap{}
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		into = &rbacv1.ClusterRole{}
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		into = &rbacv1.ClusterRoleBinding{}
	case "rbac.authorization.k8s.io/v1 Role":
		into = &rbacv1.Role{}
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		into = &rbacv1.RoleBinding{}
	case "networking.k8s.io/v1 NetworkPolicy":
		into = &networkingv1.NetworkPolicy{}
	case "monitoring.coreos.com/v1 PodMonitor":
		into = &podMonitor{}
	case "monitoring.coreos.com/v1 PrometheusRule":
		into = &prometheusRule{}
	case "security.openshift.io/v1 SecurityContextConstraints":
		into = &map[string]any{}
	default:
		return nil, fmt.Errorf("the chart makes no %s", kind)
	}
	if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", meta.APIVersion, meta.Kind, err)
	}
	return into, nil
}

// objects renders and decodes everything.
func objects(t *testing.T, values map[string]any) []any {
	t.Helper()
	docs, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	var all []any
	for _, doc := range docs {
		object, err := decode(doc)
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		all = append(all, object)
	}
	return all
}

// one returns the only object of a type.
func one[T any](t *testing.T, objects []any) *T {
	t.Helper()
	var found []*T
	for _, o := range objects {
		if typed, ok := o.(*T); ok {
			found = append(found, typed)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want 1", len(found), *new(T))
	}
	return found[0]
}

func TestLint(t *testing.T) {
	version := kubeVersion(t)
	for name, values := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			result := lint.RunAll(chartDir, values, namespace, lint.WithKubeVersion(&version))
			for _, m := range result.Messages {
				if m.Severity > support.InfoSev {
					t.Error(m.Error())
				}
			}
		})
	}
}

// Every scenario renders, and decodes into the types of Kubernetes without an unknown field.
func TestRender(t *testing.T) {
	for name, values := range scenarios(t) {
		t.Run(name, func(t *testing.T) {
			ds := one[appsv1.DaemonSet](t, objects(t, values))
			selector, err := metav1.LabelSelectorAsSelector(ds.Spec.Selector)
			if err != nil || !selector.Matches(labels.Set(ds.Spec.Template.Labels)) {
				t.Errorf("the selector does not match the pods (%v)", err)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	for name, values := range map[string]map[string]any{
		"unknown key":         {"profiles": "repair"},
		"unknown subkey":      {"guard": map[string]any{"alow": []any{}}},
		"unknown profile":     {"profile": "repare"},
		"a path as file":      {"guard": map[string]any{"file": "/etc/cni/net.d/10-a.conflist"}},
		"a tag as digest":     {"image": map[string]any{"digest": "v1.2.0"}},
		"observe and enforce": {"profile": "observe", "keep": "enforce"},
		"relative dir":        {"node": map[string]any{"confDir": "etc/cni"}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := render(t, values); err == nil {
				t.Errorf("the chart accepts %v", values)
			}
		})
	}
}

// Every key of values.yaml is in the schema: it has additionalProperties: false everywhere.
func TestSchemaKnowsEveryKey(t *testing.T) {
	data, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	if err := yaml.UnmarshalStrict(data, &values); err != nil {
		t.Fatal(err)
	}
	if _, err := render(t, values); err != nil {
		t.Error(err)
	}
}
