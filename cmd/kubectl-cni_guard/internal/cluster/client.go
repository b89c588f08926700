// SPDX-License-Identifier: Apache-2.0

// Package cluster reads the reports of cni-guard's agents from the nodes of a cluster.
package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options say which cluster to ask. The zero value means the one that kubectl asks.
type Options struct {
	Kubeconfig string // path; "" for $KUBECONFIG, and then ~/.kube/config
	Context    string // "" for the current one
}

// A Client reads nodes.
type Client struct {
	rest *rest.RESTClient
	// codec decodes parameters of requests.
	codec runtime.ParameterCodec
}

// timeout bounds one request that is not a watch.
const timeout = 30 * time.Second

// page is how many nodes one request returns at most: an answer of 500 nodes has some 8 MB.
const page = 500

// Connect returns a client. It sends no request.
func Connect(o Options) (*Client, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	// Not the scheme of client-go, which has every type of Kubernetes.
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register the types of nodes: %w", err)
	}
	metav1.AddToGroupVersion(scheme, corev1.SchemeGroupVersion)
	config.APIPath = "/api"
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType = runtime.ContentTypeJSON
	config.UserAgent = "kubectl-cni_guard"
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	return &Client{rest: client, codec: runtime.NewParameterCodec(scheme)}, nil
}

// Nodes returns the nodes that a label selector selects, and the version of the list, from
// which Watch continues.
func (c *Client) Nodes(ctx context.Context, selector string) (nodes []Node, version string, err error) {
	options := metav1.ListOptions{LabelSelector: selector, Limit: page}
	for {
		var list corev1.NodeList
		err := c.rest.Get().Resource("nodes").VersionedParams(&options, c.codec).Timeout(timeout).Do(ctx).Into(&list)
		if err != nil {
			return nil, "", fmt.Errorf("list the nodes: %w", err)
		}
		nodes = append(nodes, list.Items...)
		if list.Continue == "" {
			return nodes, list.ResourceVersion, nil
		}
		options.Continue = list.Continue
	}
}

// Watch calls changed for every node that changes after the version. When the API server
// ends the watch, as it does after some minutes, it goes on; when the version is too old, it
// lists the nodes again. It returns an error of changed or of the API server, and
// that of the context at its end.
func (c *Client) Watch(ctx context.Context, selector, version string, changed func(Node) error) error {
	for {
		next, err := c.watchOnce(ctx, selector, version, changed)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsResourceExpired(err) || apierrors.IsGone(err):
			nodes, listed, err := c.Nodes(ctx, selector)
			if err != nil {
				return err
			}
			for _, n := range nodes {
				if err := changed(n); err != nil {
					return err
				}
			}
			version = listed
		case err != nil:
			return fmt.Errorf("watch the nodes: %w", err)
		default:
			version = next
		}
		select { // an API server that ends every watch at once is not asked in a loop
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// watchOnce watches until the API server ends the watch, and returns the version to go on from.
func (c *Client) watchOnce(ctx context.Context, selector, version string, changed func(Node) error) (string, error) {
	options := metav1.ListOptions{LabelSelector: selector, ResourceVersion: version, Watch: true, AllowWatchBookmarks: true}
	w, err := c.rest.Get().Resource("nodes").VersionedParams(&options, c.codec).Watch(ctx)
	if err != nil {
		return version, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return version, apierrors.FromObject(event.Object)
		}
		node, ok := event.Object.(*corev1.Node)
		if !ok {
			continue
		}
		version = node.ResourceVersion
		if event.Type == watch.Bookmark || event.Type == watch.Deleted {
			continue
		}
		if err := changed(*node); err != nil {
			return version, err
		}
	}
	return version, nil
}
