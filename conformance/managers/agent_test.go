// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"strings"
	"testing"
)

const (
	events      = runtimeDir + "/state/events.jsonl"
	agentStatus = "/opt/cni/bin/guardctl status -o json"
)

// startAgent starts an agent that repairs, and waits for the end of its first look.
func (n *Node) startAgent() {
	n.t.Helper()
	n.Start("/opt/cni/bin/cni-guard-agent", "--profile", "repair", "--kubernetes", "off", "--runtime", "containerd",
		"--conf-dir", runtimeDir+"/conf", "--bin-dir", "/opt/cni/bin", "--warm-tunnels=false", "--look-every", "10s")
	n.Await("the agent's first look", "/opt/cni/bin/guardctl status | grep -q 'full looks, the last'")
}

// With the agent, the ports that a start of networkd took from running pods are back
// without a call of the runtime, and stay. What else it took, doctor says.
func TestAgentPutsPortsBack(t *testing.T) {
	for _, release := range []Release{Own, Trixie} {
		t.Run(string(release), func(t *testing.T) {
			n := NewNode(t, release, "ro")
			d := n.networkd(map[string]string{"99-all.network": "[Match]\nName=*\n" + quiet})
			pod := n.Add("pod", true)
			n.settled()
			n.startAgent()
			restart(n, d)
			n.Await("the agent puts the port back", "grep -q 'repaired: bridge-port: node/"+pod.Veth+"' "+events)
			n.settled()
			n.Run(isPort(pod.Veth, "cni0"))
			// 257 takes the address of the bridge as well, which is the pods' gateway. A repair
			// of addresses is the operator's.
			_, findings := n.Doctor("primary-ready")
			for _, f := range findings {
				n.Run(f.Command)
			}
			if (len(findings) == 1) != (release == Trixie) {
				t.Errorf("primary-ready finds %+v", findings)
			}
			if !n.Reaches(pod) {
				t.Errorf("the node does not reach the pod:\n%s", n.Run("ip address; ip route"))
			}
		})
	}
}

// The agent does not contend with networkd for a port that networkd has on a bridge of its
// own: it names the file, and puts the port back once that no longer says so.
func TestAgentLeavesClaimedPorts(t *testing.T) {
	for _, release := range []Release{Own, Trixie} {
		t.Run(string(release), func(t *testing.T) {
			n := NewNode(t, release, "ro")
			pod := n.Add("pod", true)
			n.startAgent()
			n.networkd(map[string]string{
				"10-br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n", "10-br0.network": "[Match]\nName=br0\n" + quiet,
				"20-ports.network": "[Match]\nName=veth*\n[Network]\nBridge=br0\n",
			})
			n.Await("networkd takes the port", isPort(pod.Veth, "br0"))
			n.settled()
			n.Await("the agent names the file", agentStatus+" | grep -q '20-ports.network:4 has systemd-networkd make it a port of br0'")
			n.Run(isPort(pod.Veth, "br0"))
			if log, _ := n.Try("cat " + events); strings.Contains(log, "repaired: bridge-port") {
				t.Errorf("a repair that networkd undoes is reported:\n%s", log)
			}
			_, findings := n.Doctor("link-manager")
			if len(findings) == 0 {
				t.Fatal("link-manager finds nothing")
			}
			for _, f := range findings {
				n.Run(f.Command)
			}
			n.Await("the agent puts the port back", isPort(pod.Veth, "cni0"))
			n.settled()
			n.Run(isPort(pod.Veth, "cni0"))
			if !n.Reaches(pod) {
				t.Error("the node does not reach the pod")
			}
		})
	}
}
