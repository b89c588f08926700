// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/runtimes/cri"
)

// pods is where the tests have their pods.
const pods = "/api/v1/namespaces/default/pods"

// A PodSpec says how a pod is. The zero value, with a name, is a pod on any node with a
// network of its own that does nothing.
type PodSpec struct {
	Name        string
	Node        string   // it is bound there, without the scheduler; "" leaves it to that
	HostNetwork bool     // it has the network of its node
	Args        []string // of the program of the image: conformance/pause
	HostPort    int      // for port 8080 of the pod; 0 for none
	Exec        []string // liveness probe that runs this in the container, every second
	TCP         int      // liveness probe that connects to this port of the pod, every second; 0 for none
	TCPHost     string   // where that connects to instead of the pod
}

// object returns it as Kubernetes wants it.
func (p PodSpec) object() map[string]any {
	container := map[string]any{"name": "main", "image": cri.PauseImage, "imagePullPolicy": "Never"}
	if p.Args != nil {
		container["args"] = p.Args
	}
	if p.HostPort != 0 {
		container["ports"] = []any{map[string]any{"containerPort": 8080, "hostPort": p.HostPort}}
	}
	probe := map[string]any{"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 3}
	switch {
	case p.Exec != nil:
		probe["exec"] = map[string]any{"command": p.Exec}
	case p.TCP != 0:
		tcp := map[string]any{"port": p.TCP}
		if p.TCPHost != "" {
			tcp["host"] = p.TCPHost
		}
		probe["tcpSocket"] = tcp
	}
	if p.Exec != nil || p.TCP != 0 {
		container["livenessProbe"] = probe
	}
	spec := map[string]any{
		"containers": []any{container}, "hostNetwork": p.HostNetwork, "terminationGracePeriodSeconds": 1,
		"automountServiceAccountToken": false, "enableServiceLinks": false,
		"tolerations": []any{map[string]any{"operator": "Exists"}},
	}
	if p.Node != "" {
		spec["nodeName"] = p.Node
	}
	return map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": p.Name}, "spec": spec,
	}
}

// CreatePod creates a pod and does not wait for it.
func (c *Cluster) CreatePod(p PodSpec) error { return c.api.Create(pods, p.object()) }

// StartPod creates a pod and waits until it is Ready.
func (c *Cluster) StartPod(p PodSpec) Pod {
	c.t.Helper()
	if err := c.CreatePod(p); err != nil {
		c.t.Fatalf("create pod %s: %v", p.Name, err)
	}
	return c.AwaitPod(p.Name)
}

// AwaitPod waits until a pod is Ready.
func (c *Cluster) AwaitPod(name string) Pod {
	c.t.Helper()
	var ready Pod
	err := AwaitChange(c, pods, func(change Change[Pod]) bool {
		if change.Object.Metadata.Name == name {
			ready = change.Object
		}
		return ready.Ready()
	})
	if err != nil {
		c.t.Fatalf("await that pod %s is ready: %v\n%s", name, err, c.Kubectl("describe", "pod", name))
	}
	return ready
}

// DeletePod deletes a pod and waits until it is gone.
func (c *Cluster) DeletePod(name string) {
	c.t.Helper()
	path := pods + "/" + name
	if err := c.api.Delete(path); err != nil {
		c.t.Fatalf("delete pod %s: %v", name, err)
	}
	c.await("the end of pod "+name, func() error {
		switch err := c.api.TryGet(path, new(Pod)); {
		case NotFound(err):
			return nil
		case err != nil:
			return err
		}
		return notYet("it is still there")
	})
}

// Exec runs a program in the only container of a pod: "/pause", and its arguments.
func (c *Cluster) Exec(pod string, args ...string) string {
	c.t.Helper()
	return c.Kubectl(append([]string{"exec", pod, "--", "/pause"}, args...)...)
}

// Events returns the events of a namespace that are about objects of that kind.
func (c *Cluster) Events(namespace, kind string) []Event {
	c.t.Helper()
	var list struct{ Items []Event }
	c.api.Get("/api/v1/namespaces/"+namespace+"/events?fieldSelector=involvedObject.kind%3D"+kind, &list)
	return list.Items
}

// NodeObject returns what Kubernetes knows of a node.
func (c *Cluster) NodeObject(n *Node) NodeObject {
	c.t.Helper()
	var o NodeObject
	c.api.Get("/api/v1/nodes/"+n.Name, &o)
	return o
}

// Metrics returns what the agent of a node exports.
func (c *Cluster) Metrics(n *Node) string {
	c.t.Helper()
	resp, err := http.Get("http://" + n.Address + ":9798/metrics")
	if err != nil {
		c.t.Fatalf("read the metrics of %s: %v", n.Name, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("read the metrics of %s: %v", n.Name, err)
	}
	return string(text)
}

// Metric returns the value of one series of the agent, such as
// `cni_guard_repairs_total{check="host-loopback",id="CG301",result="repaired"}`; 0 if there is none.
func (c *Cluster) Metric(n *Node, series string) float64 {
	c.t.Helper()
	value, _ := c.Series(n, series)
	return value
}

// Series is Metric, and says whether there is that series.
func (c *Cluster) Series(n *Node, series string) (float64, bool) {
	c.t.Helper()
	for line := range strings.Lines(c.Metrics(n)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				c.t.Fatalf("read %s: %v", line, err)
			}
			return number, true
		}
	}
	return 0, false
}
