// SPDX-License-Identifier: Apache-2.0

package charttest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// profiles are the values for which the documentation lists what a pod needs.
func profiles() []struct {
	name   string
	values map[string]any
} {
	return []struct {
		name   string
		values map[string]any
	}{
		{"observe", map[string]any{"profile": "observe"}},
		{"repair", nil},
		{"repair, keep: enforce", map[string]any{"keep": "enforce"}},
		{"repair, agent.nameWriters", map[string]any{"agent": map[string]any{"nameWriters": true}}},
		{"uninstall", map[string]any{"mode": "uninstall", "agent": map[string]any{"nameWriters": true}}}, // as --reuse-values has it
	}
}

// exceptions are the reasons for each part of the Pod Security Standards that a pod of the
// DaemonSet does not follow.
func exceptions() map[string]string {
	return map[string]string{
		"host namespaces":            "hostNetwork: the node's network is what the agent looks after, and it must start without a pod network; hostPID with `agent.nameWriters`",
		"hostPath volumes":           "the node's file system: the programs are installed there, and the configuration of its network is read there",
		"hostPort":                   "the port of the metrics is on the node's network; `metrics.enabled: false` closes it",
		"non-default capabilities":   "installer: `SYS_PTRACE`, to see which process listens at the runtime's socket; agent with `profile: repair`: `NET_ADMIN` and `NET_RAW`; agent with `agent.nameWriters`: `SYS_ADMIN`",
		"unrestricted capabilities":  "`SYS_CHROOT`, to take the node's root as its own; installer, and agent with `keep: enforce`: `CHOWN`, `FOWNER` and `DAC_OVERRIDE`, to keep owner and mode of a file",
		"forbidden AppArmor profile": "installer: the default profile does not let it see other processes; `installer.appArmorProfile` sets another one",
		"restricted volume types":    "the node's file system, as above",
		"runAsNonRoot != true":       "files of the conf dir, the ledger and the socket belong to root; without capabilities root may do no more than that",
		"runAsUser=0":                "as above",
	}
}

// violations returns what a pod does not follow, by level: "baseline host namespaces".
func violations(t *testing.T, ds *appsv1.DaemonSet) map[string]api.Level {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]api.Level{}
	for _, level := range []api.Level{api.LevelRestricted, api.LevelBaseline} { // the weaker one last
		pod := ds.Spec.Template
		for _, r := range evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec) {
			if !r.Allowed {
				found[r.ForbiddenReason] = level
			}
		}
	}
	return found
}

const (
	tableStart = "<!-- pod-security: scripts/manifests.sh writes this table -->\n"
	tableEnd   = "<!-- end of pod-security -->\n"
	clusterDoc = "../../docs/cluster.md"
)

// The documentation lists each exception from the Pod Security Standards, with its reason.
func TestPodSecurity(t *testing.T) {
	level := map[string]api.Level{}
	who := map[string][]string{}
	for _, p := range profiles() {
		for what, l := range violations(t, one[appsv1.DaemonSet](t, objects(t, p.values))) {
			who[what] = append(who[what], p.name)
			if level[what] != api.LevelBaseline {
				level[what] = l
			}
		}
	}
	var table strings.Builder
	table.WriteString(tableStart + "| exception | from | needed by | why |\n|---|---|---|---|\n")
	for _, what := range slices.Sorted(maps.Keys(who)) {
		reason := exceptions()[what]
		if reason == "" {
			t.Errorf("%v: %q is an exception without a reason", who[what], what)
		}
		by := strings.Join(who[what], "; ")
		if len(who[what]) == len(profiles()) {
			by = "all"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", what, level[what], by, reason)
	}
	table.WriteString(tableEnd)
	replaceInDoc(t, table.String())
}

// replaceInDoc compares the table with that of the documentation, or writes it there.
func replaceInDoc(t *testing.T, table string) {
	t.Helper()
	doc, err := os.ReadFile(clusterDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), tableStart)
	_, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of exceptions", clusterDoc)
	}
	want := before + table + after
	if *update {
		if err := os.WriteFile(clusterDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(doc) {
		t.Errorf("the table of exceptions in %s is stale: run scripts/manifests.sh; it is\n%s", clusterDoc, table)
	}
}

// No container is privileged or may become so, none sees a process of the node unless that is
// asked for, and each has the capabilities that its work needs and no other.
func TestContainers(t *testing.T) {
	want := map[string]map[string]string{
		"observe":                   {"install": "SYS_CHROOT SYS_PTRACE CHOWN FOWNER DAC_OVERRIDE", "agent": "SYS_CHROOT"},
		"repair":                    {"install": "SYS_CHROOT SYS_PTRACE CHOWN FOWNER DAC_OVERRIDE", "agent": "SYS_CHROOT NET_ADMIN NET_RAW"},
		"repair, keep: enforce":     {"install": "SYS_CHROOT SYS_PTRACE CHOWN FOWNER DAC_OVERRIDE", "agent": "SYS_CHROOT NET_ADMIN NET_RAW CHOWN FOWNER DAC_OVERRIDE"},
		"repair, agent.nameWriters": {"install": "SYS_CHROOT SYS_PTRACE CHOWN FOWNER DAC_OVERRIDE", "agent": "SYS_CHROOT NET_ADMIN NET_RAW SYS_ADMIN"},
		"uninstall":                 {"uninstall": "SYS_CHROOT SYS_PTRACE CHOWN FOWNER DAC_OVERRIDE", "clear-condition": "", "remove": "SYS_CHROOT SYS_PTRACE CHOWN FOWNER DAC_OVERRIDE"},
	}
	for _, p := range profiles() {
		t.Run(p.name, func(t *testing.T) {
			spec := one[appsv1.DaemonSet](t, objects(t, p.values)).Spec.Template.Spec
			if spec.HostPID != (p.name == "repair, agent.nameWriters") || spec.HostIPC || !spec.HostNetwork || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
				t.Errorf("hostPID %v, hostIPC %v, hostNetwork %v", spec.HostPID, spec.HostIPC, spec.HostNetwork)
			}
			got := map[string]string{}
			for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
				s := c.SecurityContext
				if s.Privileged != nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
					t.Errorf("%s has %+v", c.Name, s)
				}
				var names []string
				for _, capability := range s.Capabilities.Add {
					names = append(names, string(capability))
				}
				got[c.Name] = strings.Join(names, " ")
				checkProbe(t, c.LivenessProbe)
				checkProbe(t, c.ReadinessProbe)
				if _, limited := c.Resources.Limits["memory"]; !limited {
					t.Errorf("%s has no memory limit", c.Name)
				}
			}
			if !maps.Equal(got, want[p.name]) {
				t.Errorf("the capabilities are %v, want %v", got, want[p.name])
			}
		})
	}
}

// A probe by HTTP or TCP goes over lo, and kills the agent while lo is down.
func checkProbe(t *testing.T, p *corev1.Probe) {
	t.Helper()
	if p != nil && (p.Exec == nil || p.HTTPGet != nil || p.TCPSocket != nil || p.GRPC != nil) {
		t.Errorf("the probe is not by exec: %+v", p.ProbeHandler)
	}
}

// A mount of the node's root that is private keeps the namespaces of ended pods.
func TestPropagation(t *testing.T) {
	for name, values := range scenarios(t) {
		spec := one[appsv1.DaemonSet](t, objects(t, values)).Spec.Template.Spec
		for _, c := range append(slices.Clone(spec.InitContainers), spec.Containers...) {
			for _, m := range c.VolumeMounts {
				if m.Name == "node" && (m.MountPropagation == nil || *m.MountPropagation != corev1.MountPropagationHostToContainer) {
					t.Errorf("%s: %s mounts the node without propagation", name, c.Name)
				}
			}
		}
	}
}

// With observe the agent's mount of the node's root is read-only.
func TestObserveIsReadOnly(t *testing.T) {
	agent := one[appsv1.DaemonSet](t, objects(t, map[string]any{"profile": "observe"})).Spec.Template.Spec.Containers[0]
	for _, m := range agent.VolumeMounts {
		if !m.ReadOnly && m.MountPath != "/host/run/cni-guard" {
			t.Errorf("%s is writable", m.MountPath)
		}
	}
}

func TestRBAC(t *testing.T) {
	all := objects(t, nil)
	var got []string
	for _, r := range append(one[rbacv1.ClusterRole](t, all).Rules, one[rbacv1.Role](t, all).Rules...) {
		got = append(got, fmt.Sprintf("%s: %s", strings.Join(r.Resources, ","), strings.Join(r.Verbs, ",")))
	}
	if want := []string{"nodes: get", "nodes/status: patch", "events: create"}; !slices.Equal(got, want) {
		t.Errorf("the agent may %v, want %v", got, want)
	}
}
