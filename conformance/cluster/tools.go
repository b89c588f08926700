// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The release of the chart, and where it is.
const (
	release   = "cni-guard"
	Namespace = "kube-system"
)

// tool prepares a program that talks to the API server as cluster-admin.
func (c *Cluster) tool(name string, args ...string) *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command(c.program("kubernetes", name), args...)
	home := filepath.Join(c.dir, "home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		c.t.Fatal(err)
	}
	cmd.Env = []string{
		"KUBECONFIG=" + c.pki("admin.kubeconfig"), "HOME=" + home,
		"PATH=" + filepath.Join(c.bin, "guard") + ":/usr/sbin:/usr/bin:/sbin:/bin", // kubectl finds its plugin there
	}
	return cmd
}

// TryKubectl runs kubectl and returns all that it printed.
func (c *Cluster) TryKubectl(args ...string) (string, error) {
	out, err := c.tool("kubectl", args...).CombinedOutput()
	return string(out), err
}

// Kubectl is TryKubectl for what must succeed.
func (c *Cluster) Kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.TryKubectl(args...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Apply applies a manifest.
func (c *Cluster) Apply(manifest string) {
	c.t.Helper()
	cmd := c.tool("kubectl", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("kubectl apply: %v\n%s\n%s", err, out, manifest)
	}
}

// Helm runs helm, which must succeed.
func (c *Cluster) Helm(args ...string) string {
	c.t.Helper()
	out, err := c.tool("helm", append([]string{"--namespace", Namespace}, args...)...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// chart is the path of the chart: the tests run in the directory of this package.
const chart = "../../deploy/helm/cni-guard"

// Install installs the chart or upgrades it, with values such as "profile=observe", and
// waits until the DaemonSet is rolled out. All other values are the chart's.
func (c *Cluster) Install(values ...string) {
	c.t.Helper()
	c.InstallVersion(c.Versions()[0], values...)
}

// InstallVersion is Install with the image of that tag.
func (c *Cluster) InstallVersion(tag string, values ...string) {
	c.t.Helper()
	args := []string{"upgrade", "--install", release, chart, "--reset-values", "--set", "image.tag=" + tag}
	for _, value := range values {
		args = append(args, "--set", value)
	}
	c.Helm(args...)
	c.AwaitRollout()
}

// AwaitRollout waits until the DaemonSet is rolled out, and fails with what its pods say.
func (c *Cluster) AwaitRollout() {
	c.t.Helper()
	c.awaitDaemonSet(release)
}

// awaitDaemonSet is AwaitRollout for a DaemonSet of that name.
func (c *Cluster) awaitDaemonSet(name string) {
	c.t.Helper()
	err := AwaitChange(c, "/apis/apps/v1/namespaces/"+Namespace+"/daemonsets", func(change Change[DaemonSet]) bool {
		return change.Object.Metadata.Name == name && change.Object.RolledOut()
	})
	if err == nil {
		return
	}
	pods, _ := c.TryKubectl("describe", "pods", "-n", Namespace, "-l", "app.kubernetes.io/name=cni-guard")
	logs, _ := c.TryKubectl("logs", "-n", Namespace, "-l", "app.kubernetes.io/name=cni-guard", "--all-containers", "--prefix", "--tail=20")
	c.t.Fatalf("await the rollout of the DaemonSet "+name+": %v\n%s\n%s", err, pods, logs)
}

// selector selects the pods of the DaemonSet.
const selector = "app.kubernetes.io/name=cni-guard,app.kubernetes.io/instance=" + release

// Uninstall takes the plugin out of the nodes and removes the release, as the chart's notes say.
func (c *Cluster) Uninstall() {
	c.t.Helper()
	c.Helm("upgrade", release, chart, "--reuse-values", "--set", "mode=uninstall")
	c.AwaitRollout()
	c.Helm("uninstall", release, "--wait")
}

// Versions returns the tags of the images of the agent that the nodes have, oldest first.
func (c *Cluster) Versions() []string {
	c.t.Helper()
	images, err := filepath.Glob(filepath.Join(c.bin, "image", "cni-guard-*-image.tar"))
	if err != nil || len(images) == 0 {
		c.t.Fatalf("there is no image of the agent, %v: run scripts/cluster.sh", err)
	}
	var tags []string
	for _, image := range images {
		tags = append(tags, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(image), "cni-guard-"), "-image.tar"))
	}
	return tags
}

// AgentPod returns the agent's pod of a node.
func (c *Cluster) AgentPod(n *Node) Pod {
	c.t.Helper()
	return c.podOf(n, selector)
}

// podOf returns the pod of a DaemonSet on a node, by a label selector.
func (c *Cluster) podOf(n *Node, selector string) Pod {
	c.t.Helper()
	var list struct{ Items []Pod }
	c.api.Get("/api/v1/namespaces/"+Namespace+"/pods?labelSelector="+url.QueryEscape(selector), &list)
	for _, pod := range list.Items {
		if pod.Spec.NodeName == n.Name && pod.Metadata.DeletionTimestamp == nil {
			return pod
		}
	}
	c.t.Fatalf("%s has no pod with %s", n.Name, selector)
	return Pod{}
}

// Agent runs a program of the agent's image in the agent's container of a node.
func (c *Cluster) Agent(n *Node, args ...string) string {
	c.t.Helper()
	return c.Kubectl(append([]string{"exec", "-n", Namespace, c.AgentPod(n).Metadata.Name, "-c", "agent", "--"}, args...)...)
}
