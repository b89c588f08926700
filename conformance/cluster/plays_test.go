// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"testing"
	"time"
)

// A play is an incident, or what an operator does, in the cluster. It finds the chart
// installed with its default values, and leaves it so.
type play struct {
	name string
	run  func(*testing.T, *Cluster)
}

// plays returns all plays, in their order.
func plays() []play {
	return []play{
		{"agent-runs", agentRuns},
		{"loopback", loopback},
		{"rogue-files", rogueFiles},
		{"contested", contested},
		{"killed", killed},
		{"two-agents", twoAgents},
		{"outage", outage},
		{"observe", observed},
		{"incidents", incidents}, // the last: it leaves a tunnel
	}
}

// All plays share a cluster, as its start costs more than most of them.
func TestPlays(t *testing.T) {
	began := time.Now()
	c := Up(t)
	t.Logf("the cluster is up after %s", time.Since(began).Round(time.Second))
	t.Run("rollout", func(t *testing.T) { rollout(t, c.With(t)) }) // before anything of the guard is there
	began = time.Now()
	c.Install()
	t.Logf("the chart is installed after %s", time.Since(began).Round(time.Second))
	for _, p := range plays() {
		t.Run(p.name, func(t *testing.T) {
			began := time.Now()
			p.run(t, c.With(t))
			t.Logf("took %s", time.Since(began).Round(time.Second))
		})
	}
}

// The installed chart works: a pod starts through the guard, and the agent answers.
func agentRuns(t *testing.T, c *Cluster) {
	for i := range Nodes {
		n := c.Node(i)
		pod := c.StartPod(PodSpec{Name: "hello-" + n.Name, Node: n.Name})
		if out, err := n.Try("guardctl", "verify"); err != nil {
			t.Errorf("guardctl verify: %v\n%s", err, out)
		}
		if out, err := n.Try("guardctl", "status"); err != nil {
			t.Errorf("guardctl status: %v\n%s", err, out)
		}
		c.DeletePod(pod.Metadata.Name)
		Await(c, n.Name+" to have the condition", "/api/v1/nodes", func(o NodeObject) bool {
			return o.Metadata.Name == n.Name && o.Condition(condition).Status == "False"
		})
	}
	t.Log("\n" + c.Kubectl("cni-guard", "status"))
}

// condition is the node condition of the agent.
const condition = "cni-guard.io/NetworkProblem"
