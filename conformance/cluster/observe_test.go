// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"testing"
	"time"
)

// lo stays down for ten minutes, as nothing repairs it: the agent is not restarted, although
// kubelet's probes over lo fail meanwhile, and the condition and the metric say all the time
// what is wrong.
func observed(t *testing.T, c *Cluster) {
	c.Install(watching()...)
	var before [Nodes]Pod
	for i := range Nodes {
		c.awaitCondition(c.Node(i), "False", "")
		before[i] = c.AgentPod(c.Node(i))
	}
	for i := range Nodes {
		c.Node(i).In("ip", "link", "set", "lo", "down")
	}
	began := time.Now()
	for i := range Nodes {
		c.awaitCondition(c.Node(i), "True", "HostLoopback")
	}
	t.Logf("the conditions have turned after %s", time.Since(began).Round(time.Second))
	for time.Since(began) < 10*time.Minute {
		time.Sleep(20 * time.Second) // nothing is awaited: it is looked at while nothing may happen
		for i := range Nodes {
			n := c.Node(i)
			if got := c.NodeObject(n).Condition(condition); got.Status != "True" || got.Reason != "HostLoopback" {
				t.Fatalf("after %s the condition of %s is %+v", time.Since(began), n.Name, got)
			}
			if up, ok := c.Series(n, "cni_guard_loopback_up"); up != 0 || !ok {
				t.Fatalf("after %s the metric of %s says that lo is up: %v, %t", time.Since(began), n.Name, up, ok)
			}
			now := c.AgentPod(n)
			if now.Metadata.UID != before[i].Metadata.UID || now.Restarts() != before[i].Restarts() || !now.Ready() {
				t.Fatalf("after %s the agent's pod of %s is %s, ready: %t, restarts: %d; it was %s", time.Since(began), n.Name, now.Metadata.UID, now.Ready(), now.Restarts(), before[i].Metadata.UID)
			}
		}
	}
	for i := range Nodes {
		n := c.Node(i)
		t.Logf("%s with %s, lo down for %s: Ready is %+v", n.Name, n.Runtime, time.Since(began).Round(time.Second), c.NodeObject(n).Condition("Ready"))
		n.In("ip", "link", "set", "lo", "up")
	}
	for i := range Nodes {
		c.awaitCondition(c.Node(i), "False", "")
		c.Node(i).AwaitReady()
	}
	c.Install(repairing()...)
}
