// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cni-guard/cni-guard/cmd/kubectl-cni_guard/internal/cluster"
)

// A fakeCluster is an API server with nodes.
type fakeCluster struct {
	nodes   []corev1.Node
	changes chan corev1.Node // of the watch
	refuse  int              // HTTP status of every answer; 0 for none
	pages   int              // how many requests had a list as answer
	mu      sync.Mutex
}

func (f *fakeCluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if f.refuse != 0 {
		w.WriteHeader(f.refuse)
		_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status: "Failure", Reason: metav1.StatusReasonForbidden, Code: int32(f.refuse), Message: `nodes is forbidden: User "jane" cannot list resource "nodes"`})
		return
	}
	if r.URL.Path != "/api/v1/nodes" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.URL.Query().Get("watch") != "" {
		w.(http.Flusher).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case n := <-f.changes:
				n.TypeMeta = metav1.TypeMeta{Kind: "Node", APIVersion: "v1"}
				_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": n})
				w.(http.Flusher).Flush()
			}
		}
	}
	// Pages of two nodes, whatever the limit: the server may return fewer than asked for.
	f.mu.Lock()
	f.pages++
	f.mu.Unlock()
	first := 0
	_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &first)
	list := corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}}
	list.ResourceVersion = "7"
	list.Items = f.nodes[first:min(first+2, len(f.nodes))]
	if first+2 < len(f.nodes) {
		list.Continue = fmt.Sprint(first + 2)
	}
	_ = json.NewEncoder(w).Encode(list)
}

// start returns the path of a kubeconfig of the cluster.
func (f *fakeCluster) start(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "x",
		"clusters": [{"name": "c", "cluster": {"server": %q}}],
		"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]}`, server.URL)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// node returns a node whose agent wrote the condition so long ago; "" for no condition.
func node(name string, status corev1.ConditionStatus, reason, message string, reported time.Duration) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: "8"}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if status != "" {
		n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
			Type: cluster.Condition, Status: status, Reason: reason, Message: message,
			LastHeartbeatTime:  metav1.NewTime(time.Now().Add(-reported)),
			LastTransitionTime: metav1.NewTime(time.Now().Add(-3 * time.Hour)),
		})
	}
	return n
}

func mixed() []corev1.Node {
	return []corev1.Node{
		node("a-ok", corev1.ConditionFalse, "NoProblem", "24 checks passed", time.Minute),
		node("b-lo", corev1.ConditionTrue, "host-loopback", "CG104 host-loopback: lo is down\x1b[31m", time.Minute),
		node("c-silent", corev1.ConditionFalse, "NoProblem", "24 checks passed", 3*time.Hour),
		node("d-none", "", "", "", 0),
	}
}

func call(t *testing.T, f *fakeCluster, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), &stdout, &stderr, append([]string{"status", "--kubeconfig", f.start(t)}, args...))
	return stdout.String(), stderr.String(), code
}

func TestStatus(t *testing.T) {
	f := &fakeCluster{nodes: mixed()}
	out, errs, code := call(t, f)
	if code != 1 || errs != "" {
		t.Errorf("exit code %d, stderr %q", code, errs)
	}
	want := []string{"NODE", "b-lo problem host-loopback 3h", "c-silent silent NoProblem 3h 3h", "d-none none - - -", "a-ok ok - 3h"}
	for i, line := range strings.Split(out, "\n")[:5] {
		if got := strings.Join(strings.Fields(line), " "); !strings.HasPrefix(got, want[i]) {
			t.Errorf("line %d is %q, want %q", i, got, want[i])
		}
	}
	for _, want := range []string{"b-lo: CG104 host-loopback: lo is down", "its last report: 24 checks passed", "4 nodes: 1 problem, 1 silent, 1 none, 1 ok"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if f.pages != 2 {
		t.Errorf("%d pages were asked for, want 2", f.pages)
	}
}

func TestExitCodes(t *testing.T) {
	all := mixed()
	for name, test := range map[string]struct {
		nodes []corev1.Node
		args  []string
		code  int
		says  string
	}{
		"ok":            {nodes: all[:1], code: 0},
		"silent":        {nodes: all[2:3], code: 2},
		"none":          {nodes: all[3:], code: 2},
		"unknown":       {nodes: []corev1.Node{node("e", corev1.ConditionUnknown, "CannotLook", "no netlink", 0)}, code: 2},
		"one of them":   {nodes: all, args: []string{"a-ok"}, code: 0},
		"unknown node":  {nodes: all, args: []string{"a-ok", "zz"}, code: 2, says: "the cluster has no zz"},
		"wrong format":  {nodes: all, args: []string{"-o", "yaml"}, code: 64, says: "yaml"},
		"wrong flag":    {nodes: all, args: []string{"--wach"}, code: 64, says: "unknown flag"},
		"patient":       {nodes: all[2:3], args: []string{"--silent-after", "9h"}, code: 0},
		"no kubeconfig": {nodes: all, args: []string{"--kubeconfig", "/nonexistent"}, code: 2, says: "read the kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, code := call(t, &fakeCluster{nodes: test.nodes}, test.args...)
			if code != test.code || !strings.Contains(errs, test.says) {
				t.Errorf("exit code %d, want %d; stderr %q lacks %q\n%s", code, test.code, errs, test.says, out)
			}
		})
	}
}

func TestForbidden(t *testing.T) {
	_, errs, code := call(t, &fakeCluster{refuse: http.StatusForbidden})
	if code != 2 || !strings.Contains(errs, `list the nodes: nodes is forbidden: User "jane"`) {
		t.Errorf("exit code %d, %q", code, errs)
	}
}

func TestJSON(t *testing.T) {
	out, _, code := call(t, &fakeCluster{nodes: mixed()}, "-o", "json")
	var doc struct {
		SchemaVersion int
		Nodes         []cluster.Report
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || code != 1 {
		t.Fatalf("exit code %d, %v in %s", code, err, out)
	}
	if doc.SchemaVersion != 1 || len(doc.Nodes) != 4 || doc.Nodes[0].Reason != "host-loopback" || doc.Nodes[0].Ready != "True" {
		t.Errorf("got %+v", doc)
	}
}

// The watch prints changes of what a person sees, and not the heartbeats.
func TestWatch(t *testing.T) {
	f := &fakeCluster{nodes: mixed()[:1], changes: make(chan corev1.Node)}
	ctx, cancel := context.WithCancel(t.Context())
	out := &signalled{wrote: make(chan struct{}, 64)}
	done := make(chan int)
	path := f.start(t)
	go func() {
		done <- run(ctx, out, out, []string{"status", "--watch", "--kubeconfig", path})
	}()
	f.changes <- node("a-ok", corev1.ConditionFalse, "NoProblem", "24 checks passed", 0) // a heartbeat
	f.changes <- node("a-ok", corev1.ConditionTrue, "ip-forwarding", "CG301 ip-forwarding: forwarding is off", 0)
	for !strings.Contains(out.String(), "forwarding is off") {
		select {
		case <-out.wrote:
		case code := <-done:
			t.Fatalf("the watch ended with %d: %s", code, out.String())
		}
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := strings.Count(out.String(), "→"); got != 1 {
		t.Errorf("%d changes were printed, want 1:\n%s", got, out.String())
	}
	if want := "a-ok: ok → problem ip-forwarding: CG301"; !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing in\n%s", want, out.String())
	}
}

// A signalled buffer says when it was written to.
type signalled struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{}
}

func (s *signalled) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.b.Write(p)
}

func (s *signalled) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
