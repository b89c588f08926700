// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"strings"
	"testing"
)

// With the guard in the chain, the ports that a start of networkd took from running pods
// are back when the next ADD returns, and stay.
func TestPortsComeBack(t *testing.T) {
	for _, release := range []Release{Own, Trixie} {
		t.Run(string(release), func(t *testing.T) {
			n := NewNode(t, release, "ro")
			d := n.networkd(map[string]string{"99-all.network": "[Match]\nName=*\n" + quiet})
			old := n.Add("old", true)
			n.settled()
			restart(n, d)
			n.Await("networkd takes the port", "! ("+isPort(old.Veth, "cni0")+")")
			n.Add("next", true)
			n.Run(isPort(old.Veth, "cni0"))
			if !n.Reaches(old) {
				t.Error("the node does not reach the pod")
			}
			n.settled()
			n.Run(isPort(old.Veth, "cni0"))
			if log := n.Run("cat " + runtimeDir + "/state/events.jsonl"); !strings.Contains(log, "repaired: bridge-port") {
				t.Errorf("no event of bridge-port in\n%s", log)
			}
		})
	}
}

// A port that networkd has on a bridge of its own cannot be taken back: it moves it again
// at once. So the guard does not try, and says what helps, which is tried: with it, the
// ports are back at the next ADD.
func TestClaimedPorts(t *testing.T) {
	for _, release := range []Release{Own, Trixie} {
		t.Run(string(release), func(t *testing.T) {
			n := NewNode(t, release, "ro")
			old := n.Add("old", true)
			n.networkd(map[string]string{
				"10-br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n", "10-br0.network": "[Match]\nName=br0\n" + quiet,
				"20-ports.network": "[Match]\nName=veth*\n[Network]\nBridge=br0\n",
			})
			n.Await("networkd takes the port", isPort(old.Veth, "br0"))
			n.settled()
			n.Run("ip link set " + old.Veth + " master cni0")
			n.Await("networkd takes it again", isPort(old.Veth, "br0"))

			next := n.Add("next", true)
			n.Await("networkd takes the port of a new pod", isPort(next.Veth, "br0"))
			n.settled()
			state, findings := n.Doctor("bridge-port")
			if state != "failed" || len(findings) != 2 {
				t.Fatalf("bridge-port has %s: %+v", state, findings)
			}
			for _, f := range findings {
				if f.Command != "" || !f.Says("/etc/systemd/network/20-ports.network:4 has systemd-networkd make it a port of br0") || !strings.Contains(f.Remedy, "link-manager") {
					t.Errorf("bridge-port finds %+v", f)
				}
			}
			if log := n.Run("cat " + runtimeDir + "/state/events.jsonl"); strings.Contains(log, "repaired: bridge-port") {
				t.Errorf("a repair that was undone is reported:\n%s", log)
			}
			_, findings = n.Doctor("link-manager")
			for _, f := range findings {
				n.Run(f.Command)
			}
			n.settled()
			n.Run("touch -d '1 hour ago' " + runtimeDir + "/state/bridge-port/looked")
			last := n.Add("last", true)
			n.settled()
			for _, pod := range []Pod{old, next, last} {
				n.Run(isPort(pod.Veth, "cni0"))
				if !n.Reaches(pod) {
					t.Errorf("the node does not reach %s", pod.ID)
				}
			}
		})
	}
}
