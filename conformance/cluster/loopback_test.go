// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"
	"testing"
	"time"
)

// The node's lo goes down twenty times: the agent has it up again before a probe sees
// anything of it, an event and a metric tell, and the node stays Ready. Without the agent
// the STATUS call of the runtime does the same, if later.
func loopback(t *testing.T, c *Cluster) {
	const repaired = `cni_guard_repairs_total{check="host-loopback",id="CG105",result="repaired"}`
	for i := range Nodes {
		n := c.Node(i)
		names := []string{"exec-" + n.Name, "tcp-" + n.Name, "node-tcp-" + n.Name}
		c.StartPod(PodSpec{Name: names[0], Node: n.Name, Args: []string{"serve", ":8080"}, Exec: []string{"/pause", "dial", "127.0.0.1:8080"}})
		c.StartPod(PodSpec{Name: names[1], Node: n.Name, Args: []string{"serve", ":8080"}, TCP: 8080})
		c.StartPod(PodSpec{Name: names[2], Node: n.Name, HostNetwork: true, Args: []string{"serve", "127.0.0.1:8088"}, TCP: 8088, TCPHost: "127.0.0.1"})
		var took []time.Duration
		for range 20 {
			before := c.Metric(n, repaired)
			took = append(took, n.LoopbackDown())
			c.await("the metric of repairs", func() error {
				if now := c.Metric(n, repaired); now <= before {
					return notYet("it is %v", now)
				}
				return nil
			})
		}
		t.Logf("%s, profile repair: lo was down for %s", n.Runtime, durations(took))
		c.await("an event about the node", func() error {
			for _, e := range c.Events("default", "Node") {
				if e.InvolvedObject.Name == n.Name && strings.Contains(e.Message, "lo is down") {
					t.Logf("event: %s %s: %s", e.Type, e.Reason, e.Message)
					return nil
				}
			}
			return notYet("there is none")
		})
		c.probesHeld(names...)
		for _, name := range names {
			c.DeletePod(name)
		}
	}

	// Without the agent: kubelet asks the runtime, which calls STATUS. CRI-O does so only until
	// it has succeeded once.
	c.stopAgents()
	n := c.Node(0)
	t.Logf("without the agent, by STATUS of %s: lo was down for %s", n.Runtime, n.LoopbackDown().Round(time.Millisecond))
	n.AwaitReady()
	c.Install()
}

// stopAgents leaves the release without a node to run on, and waits until its pods are gone.
func (c *Cluster) stopAgents() {
	c.t.Helper()
	c.Helm("upgrade", release, chart, "--reuse-values", "--set-string", "nodeSelector.nowhere=true")
	c.await("the end of the agents", func() error {
		if out := c.Kubectl("get", "pods", "-n", Namespace, "-l", selector, "-o", "name"); out != "" {
			return notYet("there is %s", out)
		}
		return nil
	})
}

// probesHeld fails the test if a probe of one of the pods has failed.
func (c *Cluster) probesHeld(names ...string) {
	c.t.Helper()
	for _, name := range names {
		var pod Pod
		c.api.Get(pods+"/"+name, &pod)
		if !pod.Ready() || pod.Restarts() > 0 {
			c.t.Errorf("pod %s is ready: %t, and was restarted %d times", name, pod.Ready(), pod.Restarts())
		}
		for _, e := range c.Events("default", "Pod") {
			if e.InvolvedObject.Name == name && badReason(e) {
				c.t.Errorf("pod %s: %s: %s", name, e.Reason, e.Message)
			}
		}
	}
}
