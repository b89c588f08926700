// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"flag"
	"strings"
	"testing"
	"time"
)

// outageFor is how long the API server is gone. The agent tries again after one second, two,
// four, up to a minute: from then on a longer outage is nothing else.
var outageFor = flag.Duration("outage", 3*time.Minute, "how long the API server is gone in the play outage")

// The API server is gone while one incident ends, another comes and goes several times, and a
// third begins. When it is back, the condition is what is true then, and there are events
// about all of them.
func outage(t *testing.T, c *Cluster) {
	c.Install(watching()...)
	n := c.Node(0)
	c.StartPod(PodSpec{Name: "web-0", Node: n.Name}) // a node without pods need not forward
	c.awaitCondition(n, "False", "")
	n.In("ip", "link", "set", "lo", "down")
	c.awaitCondition(n, "True", "HostLoopback")
	agent := n.Agent()

	c.StopAPIServer()
	began := time.Now()
	n.In("ip", "link", "set", "lo", "up")
	const rounds = 3
	for range rounds {
		for _, forward := range []string{"0", "1"} {
			n.In("sh", "-euc", "echo "+forward+" >/proc/sys/net/ipv4/ip_forward")
			c.await("that the agent sees it", func() error {
				if failed := c.Metric(n, `cni_guard_check_state{check="ip-forwarding",id="CG301",state="failed"}`); failed == 1 != (forward == "0") {
					return notYet("failed is %v", failed)
				}
				return nil
			})
		}
	}
	n.Write("/etc/cni/net.d/.new", `{"cniVersion": "1.0.0", "name": "trial", "plugins": [{"type": "bridge", "bridge": "trial0"}]}`)
	n.In("mv", "/etc/cni/net.d/.new", "/etc/cni/net.d/05-trial.conflist")
	time.Sleep(time.Until(began.Add(*outageFor))) // nothing is awaited: this is the outage
	if failed := c.Metric(n, `cni_guard_kubernetes_requests_total{kind="condition",result="error"}`); failed == 0 {
		t.Error("the agent has tried to write nothing")
	}

	c.StartAPIServer()
	back := time.Now()
	c.awaitCondition(n, "True", "Conflist")
	t.Logf("the API server was gone for %s; the condition was right %s after that: %+v", back.Sub(began).Round(time.Second), time.Since(back).Round(time.Second), c.NodeObject(n).Condition(condition))
	for _, want := range []struct{ kind, reason, text string }{
		{"Warning", "IpForwarding", "does not forward"},
		{"Normal", "IpForwarding", "the finding is gone"},
		{"Normal", "HostLoopback", "the finding is gone"},
		{"Warning", "Conflist", "05-trial.conflist"},
	} {
		c.await("the event "+want.reason, func() error {
			for _, e := range c.Events("default", "Node") {
				if e.InvolvedObject.Name == n.Name && e.Type == want.kind && e.Reason == want.reason && strings.Contains(e.Message, want.text) && e.LastTimestamp.After(began.Add(-time.Second)) && e.LastTimestamp.Before(back) {
					t.Logf("event: %s %s (%d times, %s to %s): %s", e.Type, e.Reason, e.Count, e.FirstTimestamp.Format(time.TimeOnly), e.LastTimestamp.Format(time.TimeOnly), e.Message)
					if want.reason == "IpForwarding" && e.Count != rounds {
						t.Errorf("it happened %d times, want %d", e.Count, rounds)
					}
					return nil
				}
			}
			return notYet("there is none of the time without an API server")
		})
	}
	if now := n.Agent(); now != agent {
		t.Errorf("the agent was process %s and is %s", agent, now)
	}
	n.In("rm", "/etc/cni/net.d/05-trial.conflist")
	c.awaitCondition(n, "False", "")
	for i := range Nodes {
		c.Node(i).AwaitReady()
	}
	c.DeletePod("web-0")
	c.Install(repairing()...)
}
