// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"strings"
	"testing"
)

// networkManager starts NetworkManager and waits until it answers.
func (n *Node) networkManager() *Daemon {
	n.t.Helper()
	d := n.Start("/usr/sbin/NetworkManager", "--no-daemon")
	n.Await("NetworkManager runs", "nmcli -g RUNNING general | grep -q running")
	return d
}

// udevd starts udevd and waits until it has seen all interfaces.
func (n *Node) udevd() *Daemon {
	n.t.Helper()
	d := n.Start("/lib/systemd/systemd-udevd")
	n.Await("udevd listens", "test -S /run/udev/control || test -e /run/udev/control")
	n.Run("udevadm trigger --action=add --subsystem-match=net; udevadm settle")
	return d
}

// Without udevd, and with it where its rules do not name an interface, NetworkManager
// takes the node's end of a pod's veth for a wired connection: it asks for DHCP there
// and deletes the route to the pod.
func TestNetworkManagerTakesVeths(t *testing.T) {
	for _, advised := range []bool{false, true} {
		t.Run(map[bool]string{false: "without", true: "with"}[advised], func(t *testing.T) {
			n := NewNode(t, Own, "ro")
			pod := n.AddRouted("pod", advised)
			// As Calico has it: the interface has no address, so that there is nothing to mirror.
			n.Run("ip address del 10.88.0.1/32 dev " + pod.Veth + "; ip address add 10.88.0.1/32 dev lo; ip route replace " + pod.Addr + " dev " + pod.Veth)
			n.networkManager()
			route := "ip route show " + pod.Addr + " | grep -q " + pod.Veth
			n.Await("NetworkManager deletes the route", "! "+route)
			if !advised {
				return
			}
			_, findings := n.Doctor("link-manager")
			if len(findings) != 1 || findings[0].Object != "NetworkManager" || !strings.Contains(findings[0].Problem, "configures "+pod.Veth) {
				t.Fatalf("link-manager finds %+v", findings)
			}
			n.SameInBundle("link-manager", "NetworkManager")
			n.Run(findings[0].Command)
			n.Await("NetworkManager lets go of it", "nmcli -g GENERAL.STATE device show "+pod.Veth+" | grep -q unmanaged")
			next := n.AddRouted("next", true)
			n.Await("NetworkManager has seen the new interface", "nmcli -g GENERAL.STATE device show "+next.Veth+" | grep -q unmanaged")
			n.Run("ip route show " + next.Addr + " | grep -q " + next.Veth)
			if !n.Reaches(next) {
				t.Error("the node does not reach the new pod")
			}
			if _, findings := n.Doctor("link-manager"); len(findings) > 0 {
				t.Errorf("after that link-manager finds %+v", findings)
			}
		})
	}
}

// With udevd's rules NetworkManager leaves veths alone, and only mirrors bridges:
// neither its start nor its end harms a pod, and nothing is found.
func TestNetworkManagerMirrors(t *testing.T) {
	n := NewNode(t, Own, "rw")
	n.udevd()
	pod := n.Add("pod", true)
	n.Run("udevadm settle")
	d := n.networkManager()
	n.Await("NetworkManager shows cni0", "nmcli -g GENERAL.STATE device show cni0 | grep -q externally")
	if state, findings := n.Doctor("link-manager"); state != "passed" {
		t.Errorf("link-manager has %s: %+v", state, findings)
	}
	d.Restart()
	n.Await("NetworkManager shows cni0 again", "nmcli -g GENERAL.STATE device show cni0 | grep -q externally")
	d.Stop()
	n.Run(isPort(pod.Veth, "cni0"))
	if !n.Reaches(pod) {
		t.Error("the node does not reach the pod")
	}
}

// udevd gives a device that was made without a MAC another one, which follows from its
// name, and leaves one alone that was made with a MAC. What peers were told is then
// wrong. A .link file keeps the first one.
func TestMACAddressPolicy(t *testing.T) {
	n := NewNode(t, Own, "rw")
	n.udevd()
	n.Add("pod", true)
	create := func(name, mac string) string {
		n.Run("ip link add " + name + " " + mac + " type vxlan id " + name[len(name)-1:] + " dstport 8472 local 192.0.2.10 nolearning; udevadm settle")
		return strings.TrimSpace(n.Run("cat /sys/class/net/" + name + "/address"))
	}
	if mac := create("flannel.2", "address 02:00:00:00:00:02"); mac != "02:00:00:00:00:02" {
		t.Errorf("udevd changed a MAC that the device was made with to %s", mac)
	}
	chosen := create("flannel.1", "")
	n.Run("ip link set flannel.1 up; ip address add 10.88.0.0/32 dev flannel.1; ip route add 10.88.2.0/24 via 10.88.2.0 dev flannel.1 onlink; ip neigh add 10.88.2.0 lladdr 02:00:00:00:00:22 dev flannel.1 nud permanent; bridge fdb add 02:00:00:00:00:22 dev flannel.1 dst 192.0.2.11")
	_, findings := n.Doctor("link-manager")
	if len(findings) != 1 || !findings[0].Says("MAC of flannel.1") || !findings[0].Says("MACAddressPolicy=persistent") || !findings[0].Says(chosen) {
		t.Fatalf("link-manager finds %+v", findings)
	}
	n.SameInBundle("link-manager", findings[0].Object)
	n.Run(findings[0].Command)
	n.Run("ip link del flannel.1")
	n.Run("ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.0.2.10 nolearning; cat /sys/class/net/flannel.1/address >/run/first; udevadm settle; cmp /run/first /sys/class/net/flannel.1/address")
}
