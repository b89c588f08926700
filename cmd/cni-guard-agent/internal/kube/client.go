// SPDX-License-Identifier: Apache-2.0

// Package kube reports the state of the agent to Kubernetes: a condition of the node, and
// events. It needs three verbs: get nodes, patch nodes/status and create events; it uses
// none of client-go but rest, as the typed clients alone double the size of the program.
package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// ConditionType is the type of the node condition. True means that there is a problem.
const ConditionType corev1.NodeConditionType = "cni-guard.io/NetworkProblem"

// serviceAccount is where kubelet mounts the credentials of a pod.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// ErrNoCluster is wrapped if this process is in no pod.
var ErrNoCluster = errors.New("not running in a pod of a cluster")

// requestTimeout bounds each request.
const requestTimeout = 10 * time.Second

// A Client makes requests to the API server.
type Client struct{ rest *rest.RESTClient }

// InCluster returns the client of this pod. It keeps the directory of the credentials open:
// kubelet renews the token every hour, and by then this process has the node's root.
func InCluster() (*Client, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, fmt.Errorf("find the API server: %w", ErrNoCluster)
	}
	dir, err := os.OpenRoot(serviceAccount)
	if err != nil {
		return nil, fmt.Errorf("find the credentials of the pod: %w", err)
	}
	ca, err := dir.ReadFile("ca.crt")
	if err != nil {
		return nil, fmt.Errorf("find the credentials of the pod: %w", err)
	}
	return New(&rest.Config{
		Host:            "https://" + net.JoinHostPort(host, port),
		TLSClientConfig: rest.TLSClientConfig{CAData: ca},
		WrapTransport:   func(next http.RoundTripper) http.RoundTripper { return &bearer{next, dir} },
	})
}

// A bearer adds the present token of the pod to requests.
type bearer struct {
	next http.RoundTripper
	dir  *os.Root
}

// RoundTrip implements http.RoundTripper.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.dir.ReadFile("token")
	if err != nil {
		return nil, fmt.Errorf("read the token of the pod: %w", err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	return b.next.RoundTrip(r)
}

// New returns a client of an API server.
func New(c *rest.Config) (*Client, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	config := rest.CopyConfig(c)
	config.APIPath, config.GroupVersion, config.Timeout = "/api", &corev1.SchemeGroupVersion, requestTimeout
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.UserAgent = "cni-guard-agent"
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return &Client{client}, nil
}

// node returns the UID of a node and its condition; nil if it has none.
func (c *Client) node(ctx context.Context, name string) (types.UID, *corev1.NodeCondition, error) {
	var n corev1.Node
	if err := c.rest.Get().Resource("nodes").Name(name).Do(ctx).Into(&n); err != nil {
		return "", nil, fmt.Errorf("get node %s: %w", name, err)
	}
	for i := range n.Status.Conditions {
		if n.Status.Conditions[i].Type == ConditionType {
			return n.UID, &n.Status.Conditions[i], nil
		}
	}
	return n.UID, nil, nil
}

// patchCondition writes one condition, or removes it. Conditions are merged by their type,
// so that those of others stay.
func (c *Client) patchCondition(ctx context.Context, name string, condition any) error {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{condition}}})
	if err == nil {
		err = c.rest.Patch(types.StrategicMergePatchType).Resource("nodes").Name(name).SubResource("status").Body(patch).Do(ctx).Error()
	}
	if err != nil {
		return fmt.Errorf("patch the condition of node %s: %w", name, err)
	}
	return nil
}

// ClearCondition removes the condition of a node. One that is not there is no error.
func (c *Client) ClearCondition(ctx context.Context, name string) error {
	return c.patchCondition(ctx, name, map[string]string{"type": string(ConditionType), "$patch": "delete"})
}

// createEvent creates an event about a node.
func (c *Client) createEvent(ctx context.Context, e *corev1.Event) error {
	if err := c.rest.Post().Resource("events").Namespace(e.Namespace).Body(e).Do(ctx).Error(); err != nil {
		return fmt.Errorf("create event %s: %w", e.Reason, err)
	}
	return nil
}

// eventNamespace is where events about objects without a namespace belong.
const eventNamespace = metav1.NamespaceDefault

// shorten cuts a text to at most n bytes, at a character.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const more = " …"
	return strings.ToValidUTF8(text[:n-len(more)], "") + more
}
