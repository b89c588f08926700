// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"strings"
	"testing"
	"time"
)

// The agent is killed while something goes wrong. Kubelet starts it again, and it mends what
// it finds; a condition that is not true any more does not stay.
func killed(t *testing.T, c *Cluster) {
	const forwarding = "/proc/sys/net/ipv4/ip_forward"
	for i := range Nodes {
		n := c.Node(i)
		c.StartPod(PodSpec{Name: "web-" + n.Name, Node: n.Name}) // a node without pods need not forward
		var took []time.Duration
		for range 3 {
			began := time.Now()
			n.In("sh", "-euc", "kill -KILL "+n.Agent()+"; echo 0 >"+forwarding+"; ip link set lo down")
			c.await("that the next agent mends the node", func() error {
				if out, err := n.Try("cat", forwarding); err != nil || out != "1\n" {
					return notYet("it does not forward: %q, %v", out, err)
				}
				_, err := n.Try("sh", "-euc", "ip -o link show dev lo up | grep -q LOOPBACK")
				return err
			})
			took = append(took, time.Since(began))
			c.awaitAgent(n)
		}
		t.Logf("%s: the agent was killed 3 times; the node was mended after %s", n.Runtime, durations(took))
		for _, check := range []string{"host-loopback", "ip-forwarding"} {
			out := n.In("sh", "-c", "guardctl events --check "+check+"; true")
			if !strings.Contains(out, "repaired: "+check) {
				t.Errorf("there is no record of what was repaired:\n%s", out)
			}
			t.Log("\n" + out)
		}
		c.awaitCondition(n, "False", "")
		c.DeletePod("web-" + n.Name)
	}
	// Nothing is repaired now: what was written before the agent was killed is not what is
	// true when the next one starts.
	c.Install(watching()...)
	for i := range Nodes {
		n := c.Node(i)
		c.awaitCondition(n, "False", "")
		n.In("ip", "link", "set", "lo", "down")
		c.awaitCondition(n, "True", "HostLoopback")
		n.In("sh", "-euc", "kill -KILL "+n.Agent()+"; ip link set lo up")
		c.awaitCondition(n, "False", "")
		c.awaitAgent(n)
		n.In("sh", "-euc", "kill -KILL "+n.Agent()+"; ip link set lo down")
		c.awaitCondition(n, "True", "HostLoopback")
		c.awaitAgent(n)
		n.In("ip", "link", "set", "lo", "up")
		c.awaitCondition(n, "False", "")
		status := n.In("sh", "-c", "guardctl status; true")
		t.Logf("%s:\n%s", n.Runtime, status)
	}
	c.Install(repairing()...)
}

// awaitAgent waits until the agent of a node answers.
func (c *Cluster) awaitAgent(n *Node) {
	c.t.Helper()
	c.await("the agent of "+n.Name, func() error {
		_, err := n.Try("guardctl", "status", "-o", "json")
		if err != nil && strings.Contains(err.Error(), "exit status 1") { // it answers that there is a problem
			err = nil
		}
		return err
	})
}

// A second release of the chart runs a second agent on each node: it waits and changes
// nothing, until the first one is gone.
func twoAgents(t *testing.T, c *Cluster) {
	const second = "second-cni-guard"
	c.Helm("upgrade", "--install", "second", chart, "--set", "image.tag="+c.Versions()[0], "--set", "metrics.enabled=false")
	c.awaitDaemonSet(second)
	const repaired = `cni_guard_repairs_total{check="host-loopback",id="CG105",result="repaired"}`
	for i := range Nodes {
		n := c.Node(i)
		before := c.Metric(n, repaired)
		var took []time.Duration
		for k := range 5 {
			took = append(took, n.LoopbackDown())
			c.await("the metric of repairs", func() error {
				if now := c.Metric(n, repaired); now != before+float64(k+1) {
					return notYet("it is %v", now)
				}
				return nil
			})
		}
		t.Logf("%s, two agents: lo was down for %s", n.Runtime, durations(took))
	}
	c.await("that the second agents wait", func() error {
		out := c.Kubectl("logs", "-n", Namespace, "-l", "app.kubernetes.io/instance=second", "-c", "agent")
		if strings.Count(out, "another agent runs on this node") != Nodes || strings.Contains(out, "the agent has started") {
			return notYet("they say\n%s", out)
		}
		return nil
	})

	stopped := time.Now()
	c.stopAgents()
	c.await("that the second agents start", func() error {
		out := c.Kubectl("logs", "-n", Namespace, "-l", "app.kubernetes.io/instance=second", "-c", "agent")
		if strings.Count(out, "the agent has started") != Nodes {
			return notYet("they say\n%s", out)
		}
		return nil
	})
	for i := range Nodes {
		n := c.Node(i)
		t.Logf("%s, the second agent: lo was down for %s", n.Runtime, n.LoopbackDown())
		Await(c, n.Name+" to be reported by the second agent", "/api/v1/nodes", func(o NodeObject) bool {
			now := o.Condition(condition)
			return o.Metadata.Name == n.Name && now.Status == "False" && now.LastHeartbeatTime.After(stopped)
		})
	}
	c.Install()
	c.Helm("uninstall", "second", "--wait")
	for i := range Nodes {
		c.awaitAgent(c.Node(i))
	}
}
