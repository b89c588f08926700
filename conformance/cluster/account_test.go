// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// account asks the API server what the account of the agent may do, and does it.
func account(t *testing.T, c *Cluster) {
	const namespace, user = "admits", "system:serviceaccount:admits:cni-guard"
	want := []string{"create default/events", "get /nodes", "patch /nodes/status"}
	var got []string
	for _, resource := range []string{
		"/nodes", "/nodes/status", "/nodes/proxy", "/namespaces", "/persistentvolumes", "/clusterroles.rbac.authorization.k8s.io",
		"default/events", "default/pods", "default/secrets", "default/configmaps", "default/pods/exec",
		namespace + "/events", namespace + "/pods", namespace + "/secrets", namespace + "/configmaps", namespace + "/serviceaccounts/token",
		namespace + "/daemonsets.apps", "kube-system/secrets",
	} {
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
			if allowed(t, c, namespace, user, verb, resource) {
				got = append(got, verb+" "+resource)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the account may %q, want %q", got, want)
	}

	if err := c.api.Create("/api/v1/nodes", `{"apiVersion":"v1","kind":"Node","metadata":{"name":"worker"}}`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.api.Delete("/api/v1/nodes/worker") })
	var token struct{ Status struct{ Token string } }
	if err := c.api.call(t.Context(), http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/cni-guard/token", "application/json",
		`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`, &token); err != nil {
		t.Fatal(err)
	}
	agent := newAPI(t, "https://"+masterAddress, token.Status.Token, c.pki("apiserver.crt"))
	_ = agent.ready() // it reads the certificate; the account need not see whether the server is ready
	const conditions = `{"status":{"conditions":[{"type":"` + condition + `","status":"True","reason":"HostLoopback","message":"lo is down"}]}}`
	if err := agent.call(t.Context(), http.MethodPatch, "/api/v1/nodes/worker/status", "application/strategic-merge-patch+json", conditions, nil); err != nil {
		t.Errorf("the account cannot write the condition: %v", err)
	}
	const event = `{"apiVersion":"v1","kind":"Event","metadata":{"generateName":"worker."},"type":"Warning","reason":"HostLoopback","message":"lo is down",
		"involvedObject":{"apiVersion":"v1","kind":"Node","name":"worker"},"source":{"component":"cni-guard-agent"}}`
	if err := agent.Create("/api/v1/namespaces/default/events", event); err != nil {
		t.Errorf("the account cannot create an event: %v", err)
	}
	for what, err := range map[string]error{
		"label the node":     agent.MergePatch("/api/v1/nodes/worker", `{"metadata":{"labels":{"a":"b"}}}`),
		"taint the node":     agent.MergePatch("/api/v1/nodes/worker", `{"spec":{"unschedulable":true}}`),
		"delete the node":    agent.call(t.Context(), http.MethodDelete, "/api/v1/nodes/worker", "", nil, nil),
		"read secrets":       agent.TryGet("/api/v1/namespaces/"+namespace+"/secrets", nil),
		"create another pod": agent.Create("/api/v1/namespaces/"+namespace+"/pods", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"name":"a","image":"a"}]}}`),
	} {
		if !hasCode(err, http.StatusForbidden) {
			t.Errorf("the account may %s: %v", what, err)
		}
	}
}

// allowed asks about a verb and NAMESPACE/RESOURCE[.GROUP][/SUBRESOURCE].
func allowed(t *testing.T, c *Cluster, namespace, user, verb, what string) bool {
	t.Helper()
	in, resource, _ := strings.Cut(what, "/")
	resource, subresource, _ := strings.Cut(resource, "/")
	resource, group, _ := strings.Cut(resource, ".")
	review := map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
		"spec": map[string]any{
			"user": user, "groups": []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
			"resourceAttributes": map[string]string{
				"namespace": in, "verb": verb, "group": group, "resource": resource, "subresource": subresource,
			},
		},
	}
	var answer struct{ Status struct{ Allowed bool } }
	if err := c.api.call(t.Context(), http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", "application/json", review, &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Status.Allowed
}
