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
	n := c.Node(0)
	c.awaitCondition(n, "False", "")
	before := c.AgentPod(n)
	n.In("ip", "link", "set", "lo", "down")
	began := time.Now()
	c.awaitCondition(n, "True", "HostLoopback")
	t.Logf("the condition has turned after %s", time.Since(began).Round(time.Second))
	for time.Since(began) < 10*time.Minute {
		time.Sleep(20 * time.Second) // nothing is awaited: it is looked at while nothing may happen
		if got := c.NodeObject(n).Condition(condition); got.Status != "True" || got.Reason != "HostLoopback" {
			t.Fatalf("after %s the condition is %+v", time.Since(began), got)
		}
		if up := c.Metric(n, "cni_guard_loopback_up"); up != 0 {
			t.Fatalf("after %s the metric says that lo is up: %v", time.Since(began), up)
		}
		if now := c.AgentPod(n); now.Metadata.UID != before.Metadata.UID || now.Restarts() != 0 || !now.Ready() {
			t.Fatalf("after %s the agent's pod is %s, ready: %t, restarts: %d; it was %s", time.Since(began), now.Metadata.UID, now.Ready(), now.Restarts(), before.Metadata.UID)
		}
	}
	t.Logf("Ready: %+v", c.NodeObject(n).Condition("Ready"))
	n.In("ip", "link", "set", "lo", "up")
	c.awaitCondition(n, "False", "")
	n.AwaitReady()
	c.Install()
}
