// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// patience bounds everything that is waited for. It takes seconds on an idle machine.
const patience = 15 * time.Minute

// The control plane's addresses: on the network of the nodes, and as the service
// "kubernetes". Both are the same server, so that the cluster needs no kube-proxy.
const (
	masterAddress  = "192.0.2.1"
	serviceAddress = "10.96.0.1"
)

// Nodes is how many nodes a cluster has.
const Nodes = 2

// A Cluster is a Kubernetes that ends with the test.
type Cluster struct {
	t     testing.TB
	dir   string // on a disk: logs, keys, the data of etcd, the images of the nodes
	bin   string // what scripts/cluster.sh built
	api   *API
	node  []*Node
	whole *Cluster // that of the whole test, which the others of With share
	down  func()   // stops the API server; of the whole one
}

// Up starts a cluster: its nodes are Ready, with bridge, host-local and portmap as their
// network and the images of the agent and of Pods imported. It skips the test where the
// programs are not built.
func Up(t testing.TB) *Cluster {
	t.Helper()
	c := UpAPIServer(t)
	rigtest.Need(t, "nsenter", "unshare", "pivot_root", "mount", "runc", "ctr", "iptables")
	c.startControllers()
	for i := range Nodes {
		c.node = append(c.node, c.newNode(i))
	}
	for _, n := range c.node {
		n.startRuntime()
		n.startKubelet()
	}
	for _, n := range c.node {
		n.join()
	}
	for _, n := range c.node {
		n.AwaitReady()
	}
	return c
}

// UpAPIServer starts etcd and an API server, without controllers and nodes. It skips the test
// where the programs are not built.
func UpAPIServer(t testing.TB) *Cluster {
	t.Helper()
	bin := os.Getenv("CNI_GUARD_CLUSTER")
	if bin == "" {
		// Not rigtest.Lack: the build takes a quarter of an hour, and no other run of the tests needs it.
		t.Skip("CNI_GUARD_CLUSTER is not set: run scripts/cluster.sh")
	}
	if !filepath.IsAbs(bin) || os.Getenv("CNI_GUARD_NODE") != "private" {
		t.Fatal("a cluster runs through scripts/cluster.sh")
	}
	rigtest.Need(t, "ip")
	c := &Cluster{t: t, dir: t.TempDir(), bin: bin}
	c.whole = c
	t.Cleanup(func() {
		if t.Failed() {
			c.showLogs()
		}
	})
	c.sh(`ip link add lan type bridge
		ip address add ` + masterAddress + `/24 dev lan
		ip address add ` + serviceAddress + `/32 dev lan
		ip link set lan up`)
	t.Cleanup(func() { c.sh("ip link delete lan") })
	c.startAPIServer()
	return c
}

// Node returns node i, from 0.
func (c *Cluster) Node(i int) *Node { return c.node[i] }

// NodeNamed returns the node of that name.
func (c *Cluster) NodeNamed(name string) *Node {
	for _, n := range c.node {
		if n.Name == name {
			return n
		}
	}
	c.t.Fatalf("there is no node %q", name)
	return nil
}

// API is the API server, as cluster-admin.
func (c *Cluster) API() *API { return c.api }

// With is the cluster for a subtest: what must succeed fails that.
func (c *Cluster) With(t testing.TB) *Cluster {
	d := *c
	d.t = t
	d.node = nil
	for _, n := range c.node {
		m := *n
		m.c, m.t = &d, t
		d.node = append(d.node, &m)
	}
	api := *c.api
	api.t = t
	d.api = &api
	return &d
}

// program returns the path of a program that scripts/cluster.sh built.
func (c *Cluster) program(dir, name string) string {
	c.t.Helper()
	path := filepath.Join(c.bin, dir, name)
	if _, err := os.Stat(path); err != nil {
		c.t.Fatalf("%v: run scripts/cluster.sh", err)
	}
	return path
}

// sh runs commands in the namespace of the control plane.
func (c *Cluster) sh(commands string) string {
	c.t.Helper()
	out, err := exec.Command("sh", "-euc", commands).CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return string(out)
}

// start starts a daemon whose output goes to a log. It ends with the test.
func (c *Cluster) start(name string, cmd *exec.Cmd) *exec.Cmd {
	c.t.Helper()
	log := c.openLog(name)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatalf("start %s: %v", name, err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// openLog opens the log of a daemon, to add to it.
func (c *Cluster) openLog(name string) *os.File {
	c.t.Helper()
	err := os.MkdirAll(filepath.Join(c.dir, "log"), 0o755)
	if err != nil {
		c.t.Fatal(err)
	}
	log, err := os.OpenFile(c.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	return log
}

// log returns the path of a daemon's log.
func (c *Cluster) log(name string) string { return filepath.Join(c.dir, "log", name) }

// showLogs prints the ends of all logs.
func (c *Cluster) showLogs() {
	logs, _ := filepath.Glob(c.log("*"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		c.t.Logf("%s: %v\n%s", filepath.Base(path), err, strings.Join(lines[max(0, len(lines)-8):], "\n"))
	}
}

// await asks again and again until good is nil. Where something can be watched, Await is better.
func (c *Cluster) await(what string, good func() error) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := good()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("await %s: %v", what, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// nodeAddress returns the address of node i on the network of the nodes.
func nodeAddress(i int) string { return fmt.Sprintf("192.0.2.%d", 11+i) }

// notYet is the reason why something is still awaited.
func notYet(format string, args ...any) error { return fmt.Errorf(format, args...) }
