// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"strings"
	"testing"
)

// A node on which networkd has the uplink only, as most have it: a restart harms
// nothing, and nothing is found. Nor is anything for files that match no interface of
// CNI, or that add an address to its bridge.
func TestNetworkdHarmless(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"the uplink only":       nil,
		"an address for cni0":   {"30-cni0.network": "[Match]\nName=cni0\n[Network]\nAddress=10.99.0.1/24\n" + quiet},
		"ports keep the master": {"30-veth.network": "[Match]\nName=veth*\n[Network]\nKeepMaster=yes\n" + quiet},
	} {
		t.Run(name, func(t *testing.T) {
			n := NewNode(t, Own, "ro")
			n.Add("first", true) // the plugin bridge refuses a bridge that got another address before its own
			d := n.networkd(files)
			pod := n.Add("pod", true)
			n.Run(flannel)
			n.settled()
			restart(n, d)
			n.Run(isPort(pod.Veth, "cni0") + "; ip address show cni0 | grep -q 10.88.0.1/24; ip route show 10.88.2.0/24 | grep -q flannel.1")
			if !n.Reaches(pod) {
				t.Error("the node does not reach the pod")
			}
			if state, findings := n.Doctor("link-manager"); state != "passed" {
				t.Errorf("link-manager has %s: %+v", state, findings)
			}
		})
	}
}

// With DHCP the drop-ins that doctor names are there at the next boot, and then neither
// a reload nor a lost carrier deletes routes.
func TestDHCPUplink(t *testing.T) {
	n := NewNode(t, Own, "ro")
	d := n.dhcp()
	n.Add("pod", true)
	n.Run(dependents)
	_, findings := n.Doctor("link-manager")
	if len(findings) != 2 || !strings.Contains(findings[0].Command, "KeepConfiguration=dhcp") {
		t.Fatalf("link-manager finds %+v", findings)
	}
	n.SameInBundle("link-manager", findings[0].Object)
	reload(n, d)
	n.Await("a reload deletes routes", "! ("+routesAreThere+")")

	booted := NewNode(t, Own, "ro")
	for _, f := range findings {
		booted.Run(f.Command)
	}
	d = booted.dhcp()
	pod := booted.Add("pod", true)
	booted.Run(dependents)
	reload(booted, d)
	booted.Run(routesAreThere + "; " + ruleIsThere)
	loseCarrier(booted, d)
	booted.Run(routesAreThere + "; " + ruleIsThere)
	if state, findings := booted.Doctor("link-manager"); state != "passed" || !booted.Reaches(pod) {
		t.Errorf("after that link-manager has %s: %+v", state, findings)
	}
}

// dhcp starts networkd with an uplink that has its address from another networkd, in
// the namespace that the uplink is plugged into.
func (n *Node) dhcp() *Daemon {
	n.t.Helper()
	n.Run("ip netns add fabric; ip link add eth0 type veth peer name eth0 netns fabric; ip -n fabric link set eth0 up; ip link set eth0 up")
	n.Write("/srv/fabric.network", "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.1/24\nDHCPServer=yes\nIPv6AcceptRA=no\n[DHCPServer]\nPoolOffset=100\nPoolSize=50\nEmitDNS=no\n")
	n.Start("ip", "netns", "exec", "fabric", "unshare", "-m", "sh", "-euc", `
mount -t tmpfs tmpfs /run/systemd
mkdir -p /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network: /run/systemd/netif
mount -o remount,ro,bind /sys
mount -t tmpfs tmpfs /run/dbus
mount -t tmpfs -o mode=0755 tmpfs /etc/systemd/network
cp /srv/fabric.network /etc/systemd/network/
exec /lib/systemd/systemd-networkd`)
	n.Write("/etc/systemd/network/10-eth0.network", dhcpUplink)
	d := n.Start("/lib/systemd/systemd-networkd")
	n.settled()
	return d
}
