// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// A file of another network, with a name that sorts first, is renamed into each node's conf
// dir again and again while pods come and go. The agent puts it away each time; pods that
// start once the runtime has loaded the directory again have their own network.
func rogueFiles(t *testing.T, c *Cluster) {
	const file, rounds = "/etc/cni/net.d/05-trial.conflist", 5
	c.Install("keep=enforce")
	load := c.StartLoad(2)
	load.Refusals = true // CRI-O refuses a pod whose network is not the default any more when it is checked
	load.Await(2)
	var took [Nodes][]time.Duration
	for range rounds {
		for i := range Nodes {
			n := c.Node(i)
			n.Write("/etc/cni/net.d/.new", `{"cniVersion": "1.0.0", "name": "trial", "plugins": [{"type": "bridge", "bridge": "trial0", "ipam": {"type": "host-local", "subnet": "10.99.0.0/24"}}]}`)
			began := time.Now()
			if err := os.Rename(n.Inside("/etc/cni/net.d/.new"), n.Inside(file)); err != nil {
				t.Fatal(err)
			}
			for {
				if _, err := os.Lstat(n.Inside(file)); os.IsNotExist(err) {
					break
				}
				if time.Since(began) > patience {
					t.Fatalf("%s of %s is not put away", file, n.Name)
				}
				time.Sleep(time.Millisecond) // await would measure its own pause
			}
			took[i] = append(took[i], time.Since(began))
		}
		load.Await(2)
	}
	t.Logf("with %d files of another network on each node: %s; %d of the pods got that network", rounds, load.Stop(), load.Inside("10.99."))
	for i := range Nodes {
		n := c.Node(i)
		t.Logf("%s: the file was there for %s", n.Runtime, durations(took[i]))
		c.await("that guardctl conf finds nothing on "+n.Name, func() error {
			out, err := n.Try("guardctl", "conf")
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		})
		pod := c.StartPod(PodSpec{Name: "own-network", Node: n.Name})
		if !strings.HasPrefix(pod.Status.PodIP, strings.TrimSuffix(n.PodCIDR, "0/24")) {
			t.Errorf("a pod of %s has the address %s, not of %s", n.Name, pod.Status.PodIP, n.PodCIDR)
		}
		c.DeletePod("own-network")
		for _, e := range c.Events("default", "Node") {
			if e.InvolvedObject.Name == n.Name && strings.Contains(e.Message, "05-trial") {
				t.Logf("event: %s %s (%d times): %s", e.Type, e.Reason, e.Count, e.Message)
			}
		}
		n.In("sh", "-c", "ip link delete trial0; true")
	}
	c.Install()
}
