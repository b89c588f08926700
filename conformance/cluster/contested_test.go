// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// rewrites is how often the network plugin writes its file.
const rewrites = 100

// primaryDaemonSet is the DaemonSet of a network plugin: it writes its configuration into
// the conf dir, by a rename, whenever it gets a SIGHUP.
const primaryDaemonSet = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: primary, namespace: kube-system}
spec:
  selector: {matchLabels: {app: primary}}
  template:
    metadata: {labels: {app: primary}}
    spec:
      hostNetwork: true
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 1
      tolerations: [{operator: Exists}]
      containers:
      - name: install-cni
        image: localhost/pause:1
        imagePullPolicy: Never
        args: [write, /host/etc/cni/net.d/10-net.conflist, /host/etc/primary/10-net.conflist]
        volumeMounts: [{name: conf, mountPath: /host/etc/cni/net.d}, {name: template, mountPath: /host/etc/primary}]
      volumes:
      - {name: conf, hostPath: {path: /etc/cni/net.d}}
      - {name: template, hostPath: {path: /etc/primary}}
`

// The network plugin's DaemonSet rewrites its file a hundred times while pods come and go.
// The agent inserts the guard each time, says that another program undoes that, and names its pod.
func contested(t *testing.T, c *Cluster) {
	c.Install("keep=enforce", "agent.nameWriters=true")
	for i := range Nodes {
		c.Node(i).Write("/etc/primary/10-net.conflist", c.Node(i).Primary())
	}
	load := c.StartLoad(2)
	load.Await(2)
	c.Apply(primaryDaemonSet)
	t.Cleanup(func() { c.Kubectl("delete", "daemonset", "primary", "-n", Namespace, "--wait") })
	c.await("the pods of the network plugin", func() error {
		out := c.Kubectl("get", "daemonset", "primary", "-n", Namespace, "-o", "jsonpath={.status.numberAvailable}")
		if out != fmt.Sprint(Nodes) {
			return notYet("%q are available", out)
		}
		return nil
	})
	var writers [Nodes]string
	for i := range Nodes {
		c.Node(i).awaitGuard()
		writers[i] = c.Node(i).process("/pause", "write")
	}
	var took []time.Duration
	for range rewrites {
		began := time.Now()
		for i, writer := range writers {
			n := c.Node(i)
			before := n.modified()
			n.In("kill", "-HUP", writer)
			c.await("that the network plugin writes its file", func() error {
				if n.modified() == before {
					return notYet("it is as it was")
				}
				return nil
			})
		}
		for i := range Nodes {
			c.Node(i).awaitGuard()
		}
		took = append(took, time.Since(began))
	}
	t.Logf("the guard was back on both nodes each time: %s at first, %s in all", durations(took[:20]), durations(took))
	t.Logf("under %d rewrites on each node: %s", rewrites, load.Stop())
	for i := range Nodes {
		n := c.Node(i)
		status := n.In("sh", "-c", "guardctl status; true")
		t.Logf("%s:\n%s", n.Runtime, status)
		if !strings.Contains(status, "another program undoes this") {
			t.Errorf("guardctl status on %s does not say that another program rewrites the file", n.Name)
		}
		if want := "in the pod with UID " + c.podOf(n, "app=primary").Metadata.UID; !strings.Contains(status, want) {
			t.Errorf("guardctl status on %s does not say that the file was written %s", n.Name, want)
		}
		for _, e := range c.Events("default", "Node") {
			if e.InvolvedObject.Name == n.Name && strings.Contains(e.Message, "10-net.conflist") {
				t.Logf("event: %s %s (%d times): %s", e.Type, e.Reason, e.Count, e.Message)
			}
		}
	}
	c.Install()
}

// modified returns the time of the configuration file, which each write replaces.
func (n *Node) modified() time.Time {
	n.t.Helper()
	info, err := os.Stat(n.Inside(ConfFile))
	if err != nil {
		n.t.Fatal(err)
	}
	return info.ModTime()
}

// awaitGuard waits until the configuration has the guard.
func (n *Node) awaitGuard() {
	n.t.Helper()
	n.c.await("that the guard is in "+ConfFile+" of "+n.Name, func() error {
		text, err := os.ReadFile(n.Inside(ConfFile))
		if err == nil && !strings.Contains(string(text), `"cni-guard"`) {
			err = notYet("it is\n%s", text)
		}
		return err
	})
}
