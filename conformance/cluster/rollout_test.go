// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The chart is installed, upgraded, rolled back and taken out again while pods come and go:
// not one fails, and the nodes are as they were before, byte for byte.
func rollout(t *testing.T, c *Cluster) {
	before := make([]map[string]string, Nodes)
	var kinds [Nodes][]string
	for i := range Nodes {
		before[i], kinds[i] = c.Node(i).Files(), c.conditions(c.Node(i))
	}
	versions := c.Versions()
	steps := []struct {
		name string
		do   func(*Cluster)
	}{
		{"install", func(c *Cluster) { c.InstallVersion(versions[0]) }},
		{"upgrade", func(c *Cluster) { c.InstallVersion(versions[len(versions)-1]) }},
		{"rollback", func(c *Cluster) {
			c.Helm("rollback", release)
			c.AwaitRollout()
		}},
		{"uninstall", func(c *Cluster) {
			c.Helm("upgrade", release, chart, "--reuse-values", "--set", "mode=uninstall")
			c.AwaitRollout()
		}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			c := c.With(t)
			load := c.StartLoad(2)
			load.Await(4)
			step.do(c)
			load.Await(4)
			t.Logf("under %s: %s", step.name, load.Stop())
			switch step.name {
			case "install", "rollback":
				c.runs(versions[0])
			case "upgrade":
				c.runs(versions[len(versions)-1])
			}
		})
	}
	if t.Failed() {
		return
	}
	c.awaitGone()
	c.Helm("uninstall", release, "--wait")
	for i := range Nodes {
		n := c.Node(i)
		if diff := Compare(before[i], n.Files()); len(diff) > 0 {
			t.Errorf("%s is not as before:\n%s", n.Name, strings.Join(diff, "\n"))
		}
		if now := c.conditions(n); !slices.Equal(now, kinds[i]) {
			t.Errorf("%s has the conditions %q, and had %q", n.Name, now, kinds[i])
		}
		pod := c.StartPod(PodSpec{Name: "after-" + n.Name, Node: n.Name})
		c.DeletePod(pod.Metadata.Name)
	}
}

// awaitGone waits until the containers that remove the programs say that they are gone:
// they wait until the last call is five minutes ago.
func (c *Cluster) awaitGone() {
	c.t.Helper()
	c.await("that the programs are removed", func() error {
		for i := range Nodes {
			pod := c.AgentPod(c.Node(i)).Metadata.Name
			out, err := c.TryKubectl("logs", "-n", Namespace, pod, "-c", "remove")
			if err != nil || !strings.Contains(out, "the programs are gone") {
				return fmt.Errorf("%s: %w\n%s", pod, err, out)
			}
		}
		return nil
	})
}

// runs fails the test unless the plugin and the agent of every node are of that version.
func (c *Cluster) runs(version string) {
	c.t.Helper()
	for i := range Nodes {
		n := c.Node(i)
		if out := n.In("guardctl", "--version"); !strings.Contains(out, version) {
			c.t.Errorf("guardctl of %s is %q, want %s", n.Name, out, version)
		}
		if out := c.Agent(n, "/cni-guard-agent", "--version"); !strings.Contains(out, version) {
			c.t.Errorf("the agent of %s is %q, want %s", n.Name, out, version)
		}
		if out, err := n.Try("guardctl", "verify"); err != nil {
			c.t.Errorf("guardctl verify on %s: %v\n%s", n.Name, err, out)
		}
	}
}

// conditions returns the types of the node's conditions.
func (c *Cluster) conditions(n *Node) []string {
	c.t.Helper()
	var kinds []string
	for _, condition := range c.NodeObject(n).Status.Conditions {
		kinds = append(kinds, condition.Type)
	}
	slices.Sort(kinds)
	return kinds
}
