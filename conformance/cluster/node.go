// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

//go:embed node.sh
var nodeScript string

// A Node is a process in namespaces of its own, and all that runs there.
type Node struct {
	Name    string
	Runtime string // containerd or crio
	Address string // on the network of the nodes
	PodCIDR string // what Kubernetes gave it, such as "10.244.0.0/24"

	c          *Cluster
	t          testing.TB
	pid        string
	cgroup     string // below each hierarchy of the machine
	containerd *exec.Cmd
	kubelet    *exec.Cmd
}

// The runtimes of nodes, as guardctl names them.
const (
	containerd = "containerd"
	crio       = "crio"
)

// nodeRuntime returns the runtime of node i.
func nodeRuntime(i int) string { return [...]string{containerd, crio}[i%2] }

func nodeName(i int) string { return fmt.Sprintf("node%d", i+1) }

// newNode makes node i, with its eth0 in the cluster's network, and nothing that runs there.
func (c *Cluster) newNode(i int) *Node {
	c.t.Helper()
	n := &Node{Name: nodeName(i), Runtime: nodeRuntime(i), Address: nodeAddress(i), c: c, t: c.t}
	n.cgroup = os.Getenv("CNI_GUARD_CGROUP") + "/" + n.Name
	var plugins []string
	for _, name := range []string{"bridge", "host-local", "loopback", "portmap", "ptp"} {
		plugins = append(plugins, c.program("ref", name))
	}
	cmd := exec.Command("sh", "-euc", nodeScript)
	cmd.Env = append(os.Environ(), "SCRIPT="+nodeScript, "NAME="+n.Name, "CGROUP="+n.cgroup,
		"DISK="+filepath.Join(c.dir, n.Name), "PROGRAMS="+strings.Join(plugins, " "), fmt.Sprintf("MACHINE_ID=%032x", 1+i))
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatalf("make %s: %v", n.Name, err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill() // process 1 of the node: everything there ends with it
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		_ = cmd.Wait()
		c.t.Fatalf("make %s: %q, %v\n%s", n.Name, line, err, said.String())
	}
	n.pid = strconv.Itoa(cmd.Process.Pid)
	n.PlugIn()
	return n
}

// PlugIn gives the node its eth0, with an address and a default route. An incident may
// have deleted it.
func (n *Node) PlugIn() {
	n.t.Helper()
	n.c.sh(fmt.Sprintf(`ip link add port-%[1]s type veth peer name eth0 netns %[2]s
		ip link set port-%[1]s master lan up`, n.Name, n.pid))
	n.In("sh", "-euc", fmt.Sprintf(`ip link set eth0 up
		ip address add %s/24 dev eth0
		ip route add default via %s`, n.Address, masterAddress))
}

// join waits until kubelet has registered the node and Kubernetes has given it a range of
// addresses for pods. Then it does what a network plugin's DaemonSet does: the node's
// network configuration, and a route to it on all others.
func (n *Node) join() {
	n.t.Helper()
	Await(n.c, n.Name+" to have a pod range", "/api/v1/nodes", func(o NodeObject) bool {
		if o.Metadata.Name == n.Name {
			n.PodCIDR = o.Spec.PodCIDR
		}
		return n.PodCIDR != ""
	})
	route := fmt.Sprintf("ip route replace %s via %s", n.PodCIDR, n.Address)
	n.c.sh(route)
	for _, other := range n.c.node {
		if other != n {
			other.In("sh", "-euc", route)
		}
	}
	n.WriteConfig(n.Primary())
}

// ConfFile is the path of the network configuration on each node.
const ConfFile = "/etc/cni/net.d/10-net.conflist"

// Primary returns the network configuration as the network plugin's own program writes it.
func (n *Node) Primary() string {
	return fmt.Sprintf(`{
  "cniVersion": "1.1.0",
  "name": "net",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": %q}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {
      "type": "portmap",
      "capabilities": {"portMappings": true}
    }
  ]
}
`, n.PodCIDR)
}

// WriteConfig writes the network configuration by a rename.
func (n *Node) WriteConfig(text string) {
	n.t.Helper()
	n.Write(ConfFile+".new", text)
	n.In("mv", ConfFile+".new", ConfFile)
}

// command prepares a program on the node.
func (n *Node) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"-t", n.pid, "-m", "-n", "-p", "-u", "-i", "-C", "--"}, args...)...)
	cmd.Dir = "/"
	// The plugins come last: one of them is called bridge, as a program of iproute2 is.
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/cni/bin", "HOME=/root", "LC_ALL=C"}
	return cmd
}

// Try runs a program on the node and returns all that it printed.
func (n *Node) Try(args ...string) (string, error) {
	out, err := n.command(args...).CombinedOutput()
	return string(out), err
}

// In is Try for a program that must succeed.
func (n *Node) In(args ...string) string {
	n.t.Helper()
	out, err := n.Try(args...)
	if err != nil {
		n.t.Fatalf("%s: %s: %v\n%s", n.Name, strings.Join(args, " "), err, out)
	}
	return out
}

// Write writes a file of the node.
func (n *Node) Write(path, text string) {
	n.t.Helper()
	cmd := n.command("sh", "-euc", `mkdir -p "$(dirname "$0")"; cat >"$0"`, path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("write %s of %s: %v\n%s", path, n.Name, err, out)
	}
}

// Agent returns the process ID that the agent's program has on the node, and not that of a
// probe that kubelet runs.
func (n *Node) Agent() string {
	n.t.Helper()
	return n.process("/cni-guard-agent", "--root=/host")
}

// process returns the ID that a process has on the node, by its first arguments.
func (n *Node) process(args ...string) string {
	n.t.Helper()
	lines, err := filepath.Glob(n.Inside("/proc/[0-9]*/cmdline"))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, line := range lines {
		text, err := os.ReadFile(line)
		if err == nil && strings.HasPrefix(string(text), strings.Join(args, "\x00")+"\x00") {
			return filepath.Base(filepath.Dir(line))
		}
	}
	n.t.Fatalf("%s has no process %q", n.Name, args)
	return ""
}

// Inside returns the path by which the test's own process reads a file of the node.
func (n *Node) Inside(path string) string { return filepath.Join("/proc", n.pid, "root", path) }

// Netns returns the path of the node's network namespace.
func (n *Node) Netns() string { return filepath.Join("/proc", n.pid, "ns/net") }

// AwaitReady waits until the node is Ready.
func (n *Node) AwaitReady() {
	n.t.Helper()
	Await(n.c, n.Name+" to be Ready", "/api/v1/nodes", func(o NodeObject) bool {
		return o.Metadata.Name == n.Name && o.Condition("Ready").Status == "True"
	})
}
