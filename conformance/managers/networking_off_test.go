// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"testing"
)

// `nmcli networking off` takes the addresses of all that NetworkManager only mirrors: of
// the bridge of the pods, of flannel's tunnel and of the uplink. `on` brings nothing back
// and takes the ports of the bridge. Pods come back with the next pod, whose primary
// gives the bridge its address and whose guard its ports.
func TestNetworkingOff(t *testing.T) {
	n, pod := offNode(t)
	if n.Reaches(pod) {
		t.Fatal("the node reaches the pod, so that nothing is played")
	}
	n.Run("! ip -4 address show dev flannel.1 | grep -q inet; ! ip -4 address show dev eth0 | grep -q inet")
	f := n.networkingOff()
	if !f.Says("cni0") || !f.Says("flannel.1") {
		t.Errorf("link-manager finds %+v", f)
	}
	n.SameInBundle("link-manager", "NetworkManager")
	n.Run("nmcli networking on")
	n.Await("NetworkManager takes the port of the pod", "! ("+isPort(pod.Veth, "cni0")+")")
	if state, findings := n.Doctor("bridge-port"); state != "failed" {
		t.Errorf("bridge-port has %s: %+v", state, findings)
	}
	n.Run("touch -d '1 hour ago' " + runtimeDir + "/state/bridge-port/looked")
	next := n.Add("next", true)
	for _, p := range []Pod{pod, next} {
		if !n.Reaches(p) {
			t.Errorf("the node does not reach %s", p.ID)
		}
	}
}

// Where NetworkManager is first kept from them, as the finding says, `on` leaves the
// ports alone, and another `off` the addresses.
func TestNetworkingOffAdvice(t *testing.T) {
	n, pod := offNode(t)
	n.Run(n.networkingOff().Command)
	n.Await("NetworkManager is on, and lets go of cni0", "nmcli -g NETWORKING general | grep -q enabled; nmcli -g GENERAL.STATE device show cni0 | grep -q unmanaged")
	n.Run(isPort(pod.Veth, "cni0"))
	next := n.Add("next", true)
	flannelAgain := "ip address add 10.88.0.0/32 dev flannel.1"
	n.Run(flannelAgain) // as flanneld does when it starts
	n.Run("nmcli networking off")
	n.Await("NetworkManager is off", "nmcli -g NETWORKING general | grep -q disabled")
	n.Run("nmcli networking on")
	n.Await("NetworkManager is on", "nmcli -g NETWORKING general | grep -q enabled; nmcli -g GENERAL.STATE device show cni0 | grep -q unmanaged")
	n.Run("ip address show dev flannel.1 | grep -q 10.88.0.0/32")
	for _, p := range []Pod{pod, next} {
		n.Run(isPort(p.Veth, "cni0"))
		if !n.Reaches(p) {
			t.Errorf("the node does not reach %s", p.ID)
		}
	}
	if state, findings := n.Doctor("link-manager"); state != "passed" {
		t.Errorf("link-manager has %s: %+v", state, findings)
	}
}

// offNode makes a node with udevd and NetworkManager, a pod on a bridge and a tunnel, and
// switches networking off.
func offNode(t *testing.T) (*Node, Pod) {
	t.Helper()
	n := NewNode(t, Own, "rw")
	n.udevd()
	n.Run("ip netns add fabric; ip link add eth0 type veth peer name eth0 netns fabric; ip -n fabric link set eth0 up; ip link set eth0 up; ip address add 192.0.2.10/24 dev eth0")
	n.Run(flannel)
	pod := n.Add("pod", true)
	n.Run("udevadm settle")
	n.networkManager()
	n.Await("NetworkManager shows cni0", "nmcli -g GENERAL.STATE device show cni0 | grep -q externally")
	if !n.Reaches(pod) {
		t.Fatal("the node does not reach the pod")
	}
	n.Run("nmcli networking off")
	n.Await("NetworkManager deletes the addresses", "nmcli -g NETWORKING general | grep -q disabled; for dev in cni0 flannel.1 eth0; do ! ip -4 address show dev $dev | grep -q inet || exit 1; done")
	return n, pod
}

// networkingOff returns the one finding of link-manager, which must be of that.
func (n *Node) networkingOff() Finding {
	n.t.Helper()
	_, findings := n.Doctor("link-manager")
	if len(findings) != 1 || findings[0].Object != "NetworkManager" || !findings[0].Says("networking switched off") {
		n.t.Fatalf("link-manager finds %+v", findings)
	}
	return findings[0]
}
