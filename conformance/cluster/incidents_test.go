// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// update writes what the incidents look like into docs/cluster.md.
var update = flag.Bool("update", false, "write docs/cluster.md")

// An incident goes wrong on a node, and is shown by all that an operator looks at.
type incident struct {
	name   string
	what   string   // is done to the node, as a sentence
	values []string // of the chart
	begin  func(c *Cluster, n *Node)
	end    func(c *Cluster, n *Node)
	reason string // of the condition
	alert  string
}

// watching are the values with which nothing is repaired: an incident stays for as long
// as it takes to look at it.
func watching() []string {
	return []string{"profile=observe", "guard.mode=audit", "guard.loopback=false"}
}

// repairing is the end of that: the chart leaves the mode of an entry as it is if it is not set.
func repairing() []string { return []string{"guard.mode=enforce"} }

func allIncidents() []incident {
	sh := func(script string) func(*Cluster, *Node) {
		return func(_ *Cluster, n *Node) { n.In("sh", "-euc", script) }
	}
	return []incident{
		{
			name: "lo is down", what: "A DEL with the path of the node's namespace has set the node's `lo` down.",
			values: watching(), begin: sh("ip link set lo down"), end: sh("ip link set lo up"),
			reason: "HostLoopback", alert: "CniGuardLoopbackDown",
		},
		{
			name: "A second network configuration wins", what: "A file that sorts before that of the network plugin is left in the conf dir.",
			values: watching(),
			begin: func(_ *Cluster, n *Node) {
				n.Write("/etc/cni/net.d/.new", `{"cniVersion": "1.0.0", "name": "trial", "plugins": [{"type": "bridge", "bridge": "trial0", "ipam": {"type": "host-local", "subnet": "10.99.0.0/24"}}]}`)
				n.In("mv", "/etc/cni/net.d/.new", "/etc/cni/net.d/05-trial.conflist")
			},
			end:    sh("rm /etc/cni/net.d/05-trial.conflist"),
			reason: "Conflist", alert: "CniGuardWrongConfiguration",
		},
		{
			name: "Forwarding is off", what: "A hardening tool has set `net.ipv4.ip_forward` to 0.",
			values: watching(),
			begin: func(c *Cluster, n *Node) {
				c.StartPod(PodSpec{Name: "web-0", Node: n.Name}) // a node without pods need not forward
				n.In("sh", "-euc", "echo 0 >/proc/sys/net/ipv4/ip_forward")
			},
			end: func(c *Cluster, n *Node) {
				n.In("sh", "-euc", "echo 1 >/proc/sys/net/ipv4/ip_forward")
				c.DeletePod("web-0")
			},
			reason: "IpForwarding", alert: "CniGuardForwardingOff",
		},
		{
			name: "A network manager takes a pod off its bridge", what: "The node's end of a pod's veth is no port of the bridge any more, as after systemd-networkd has taken it over.",
			values: watching(),
			begin: func(c *Cluster, n *Node) {
				c.StartPod(PodSpec{Name: "web-0", Node: n.Name, Args: []string{"serve", ":8080"}})
				n.In("sh", "-euc", `ip link set "$(ls /sys/class/net/cni0/brif | tail -1)" nomaster`)
			},
			end:    func(c *Cluster, _ *Node) { c.DeletePod("web-0") },
			reason: "BridgePort", alert: "CniGuardFinding",
		},
		{
			name: "Peers of a tunnel do not answer", what: "The firewall of another node drops the packets of the VXLAN tunnel.",
			values: []string{"guard.mode=audit"},
			begin: func(c *Cluster, n *Node) {
				for i := range Nodes {
					c.Node(i).addTunnel(c.Node(1 - i))
				}
				c.await("that the tunnel works", func() error {
					if out, err := n.Try("guardctl", "tunnels", "--probe"); err != nil || !strings.Contains(out, "1 answered") {
						return notYet("%v: %s", err, out)
					}
					return nil
				})
				c.await("the metric of peers", func() error {
					if answered := c.Metric(n, `cni_guard_tunnel_peers{state="answered"}`) + c.Metric(n, `cni_guard_tunnel_peers{state="retried"}`); answered != 1 {
						return notYet("it says that %v have answered", answered)
					}
					return nil
				})
				c.Node(1).In("iptables", "-w", "-I", "INPUT", "-p", "udp", "--dport", "8472", "-j", "DROP")
			},
			end: func(c *Cluster, n *Node) {
				// The tunnel stays: a network without it were an incident as well.
				c.Node(1).In("iptables", "-w", "-D", "INPUT", "-p", "udp", "--dport", "8472", "-j", "DROP")
			},
			reason: "TunnelPeers", alert: "CniGuardFinding",
		},
	}
}

// addTunnel leads the pods of another node through a VXLAN tunnel, as flannel does.
func (n *Node) addTunnel(to *Node) {
	n.t.Helper()
	n.In("sh", "-euc", fmt.Sprintf(`ip link add flannel.1 type vxlan id 1 dstport 8472 local %[1]s dev eth0 nolearning
		ip link set flannel.1 address %[2]s up
		ip address add %[3]s/32 dev flannel.1
		ip neighbour add %[4]s lladdr %[5]s dev flannel.1 nud permanent
		bridge fdb append %[5]s dev flannel.1 dst %[6]s
		ip route replace %[7]s via %[4]s dev flannel.1 onlink`,
		n.Address, n.tunnelMAC(), n.tunnelAddress(), to.tunnelAddress(), to.tunnelMAC(), to.Address, to.PodCIDR))
}

// tunnelAddress is the first address of the node's pod range, as with flannel.
func (n *Node) tunnelAddress() string { return strings.TrimSuffix(n.PodCIDR, "/24") }

func (n *Node) tunnelMAC() string { return "02:00:00:00:00:0" + strings.TrimPrefix(n.Name, "node") }

// Each incident shows in the node condition, in the events, in kubectl cni-guard status and
// as an alert, and is gone from all of them when it has ended.
func incidents(t *testing.T, c *Cluster) {
	c.StartPrometheus()
	var page strings.Builder
	var values []string // the chart's own
	for _, in := range allIncidents() {
		t.Run(in.reason, func(t *testing.T) {
			c := c.With(t)
			n := c.Node(0)
			if !slices.Equal(values, in.values) {
				values = in.values
				c.Install(values...)
			}
			c.awaitCondition(n, "False", "")
			in.begin(c, n)
			alert := c.AwaitAlert(n, in.alert)
			c.awaitCondition(n, "True", in.reason)
			c.await("an event about the node", func() error {
				if !strings.Contains(c.describe(n), "Events:") {
					return notYet("there is none")
				}
				return nil
			})
			status, _ := c.TryKubectl("cni-guard", "status") // exit code 1: there is a problem
			text := fmt.Sprintf("### %s\n\n%s%s\n\n```\n$ kubectl describe node %s\n%s\n\n$ kubectl cni-guard status\n%s\n```\n\nAlert [%s](alerts.md#%s), %s: *%s.* %s\n\n",
				in.name, in.what, played(in.values), n.Name, c.describe(n), strings.TrimSpace(status),
				in.alert, strings.ToLower(in.alert), alert.Labels["severity"], alert.Annotations["summary"], alert.Annotations["description"])
			t.Log("\n" + text)
			page.WriteString(text)
			in.end(c, n)
			c.await(in.alert+" to clear", func() error {
				for _, a := range c.Alerts(n) {
					if a.Labels["alertname"] == in.alert {
						return notYet("it fires: %v", a.Annotations)
					}
				}
				return nil
			})
			c.awaitCondition(n, "False", "")
		})
	}
	c.Install(repairing()...)
	if *update && !t.Failed() && strings.Count(page.String(), "\n### ")+1 == len(allIncidents()) { // none was left out by -test.run
		writePage(t, page.String())
	}
}

func played(values []string) string {
	if len(values) == 0 {
		return " Played with the default values."
	}
	return " Played with `" + strings.Join(values, "`, `") + "`."
}

// awaitCondition waits until the agent's condition of the node is as said. Any reason is
// good if none is said.
func (c *Cluster) awaitCondition(n *Node, status, reason string) {
	c.t.Helper()
	last := Condition{}
	err := AwaitChange(c, "/api/v1/nodes", func(change Change[NodeObject]) bool {
		if change.Object.Metadata.Name == n.Name {
			last = change.Object.Condition(condition)
		}
		return last.Status == status && (reason == "" || last.Reason == reason)
	})
	if err != nil {
		out, _ := n.Try("guardctl", "status")
		c.t.Fatalf("await that the condition of %s is %s %s: %v\nit is %+v\n%s", n.Name, status, reason, err, last, out)
	}
}

// describe returns what kubectl describe node says of cni-guard: its condition, whether the
// node is Ready, and the events of the agent, of which the last ones count.
func (c *Cluster) describe(n *Node) string {
	c.t.Helper()
	out := c.Kubectl("describe", "node", n.Name)
	var lines []string
	section := ""
	events := []string{}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' {
			section = strings.SplitN(line, ":", 2)[0]
			if section == "Conditions" {
				lines = append(lines, line)
			}
			continue
		}
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case section == "Conditions" && (slices.Contains([]string{"Type", "----", "Ready", condition}, word)):
			lines = append(lines, line)
		case section == "Events" && (strings.Contains(line, "cni-guard") || strings.HasPrefix(strings.TrimSpace(line), "Type ") || strings.HasPrefix(strings.TrimSpace(line), "---- ")):
			events = append(events, line)
		}
	}
	if len(events) > 2 {
		lines = append(lines, "Events:", events[0], events[1])
		lines = append(lines, events[max(2, len(events)-2):]...)
	}
	return strings.Join(lines, "\n")
}

// writePage puts the text between the marks of docs/cluster.md.
func writePage(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "cluster.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile(`(?s)(<!-- incidents: [^\n]*-->\n).*(<!-- end of incidents -->\n)`)
	if !marks.Match(page) {
		t.Fatalf("%s has no marks for the incidents", path)
	}
	page = marks.ReplaceAll(page, []byte("${1}"+strings.ReplaceAll(strings.TrimSpace(text), "$", "$$")+"\n${2}"))
	if err := os.WriteFile(path, page, 0o644); err != nil {
		t.Fatal(err)
	}
}
