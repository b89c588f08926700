// SPDX-License-Identifier: Apache-2.0

package managers

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// A test runs its own binary on the node in order to attach a pod.
func TestMain(m *testing.M) {
	if os.Getenv("CNI_GUARD_INSIDE") == "" {
		os.Exit(m.Run())
	}
	if err := Inside(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	staticUplink = "[Match]\nName=eth0\n[Network]\nAddress=192.0.2.10/24\nGateway=192.0.2.1\nIPv6AcceptRA=no\n"
	dhcpUplink   = "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n"
	// quiet keeps networkd from waiting for router advertisements.
	quiet = "[Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
	// dependents are what CNI adds beside bridges: routes to blocks of other nodes as
	// flannel (host-gw), BIRD and kube-router add them, in the main table and in
	// another, a blackhole for the own block, and a rule of a pod.
	dependents = `
ip route replace 10.88.1.0/24 via 192.0.2.11 proto 3
ip route replace 10.89.1.0/26 via 192.0.2.11 proto 12
ip route replace 10.90.1.0/24 via 192.0.2.11 proto 17
ip route replace 10.88.3.0/24 via 192.0.2.11 table 100
ip route replace blackhole 10.89.0.0/26 proto 12
ip rule del from 10.88.0.2 2>/dev/null || :
ip rule add from 10.88.0.2 lookup 100`
	routesAreThere = `for block in 10.88.1.0/24 10.89.1.0/26 10.90.1.0/24; do ip route show $block | grep -q via; done; ip route show table 100 | grep -q 10.88.3.0/24`
	ruleIsThere    = `ip rule | grep -q 'from 10.88.0.2 lookup 100'; ip route show type blackhole | grep -q 10.89.0.0/26`
)

// An incident is something that networkd does to a node, and the finding that must
// foretell it.
type incident struct {
	name   string
	files  map[string]string
	pods   func(*Node, bool) Pod
	setup  string // $VETH is the node's end of the pod
	event  func(*Node, *Daemon)
	intact string // commands that succeed as long as nothing is lost; $VETH as above
	object string // of the finding
	says   string // part of its problem
}

func incidents() []incident {
	const port = "ip -o link show $VETH | grep -q 'master cni0 '"
	return []incident{
		{
			name:   "a file that matches every name takes ports of running pods at a restart",
			files:  map[string]string{"99-all.network": "[Match]\nName=*\n"},
			event:  restart,
			intact: port, object: "/etc/systemd/network/99-all.network", says: "off the bridge cni0",
		},
		{
			name:   "so does one that matches by type and asks for DHCP",
			files:  map[string]string{"99-all.network": "[Match]\nType=ether\n[Network]\nDHCP=yes\n"},
			event:  restart,
			intact: port, object: "/etc/systemd/network/99-all.network", says: "off the bridge cni0",
		},
		{
			name:   "a file for veths takes their ports, unless it keeps their master",
			files:  map[string]string{"50-veth.network": "[Match]\nName=veth*\n" + quiet},
			event:  restart,
			intact: port, object: "/etc/systemd/network/50-veth.network", says: "off the bridge cni0",
		},
		{
			name: "a bridge of networkd's own takes the ports of new pods",
			files: map[string]string{
				"10-br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n", "10-br0.network": "[Match]\nName=br0\n" + quiet,
				"20-ports.network": "[Match]\nType=ether\n[Network]\nBridge=br0\n",
			},
			intact: port, object: "/etc/systemd/network/20-ports.network", says: "ports of br0",
		},
		{
			name:  "a reload deletes the routes over the uplink",
			setup: dependents, event: reload, intact: routesAreThere,
			object: "/etc/systemd/network/10-eth0.network", says: "when it reloads a changed file",
		},
		{
			name:  "a reload deletes rules and blackholes",
			setup: dependents, event: reload, intact: ruleIsThere,
			object: "systemd-networkd", says: "ManageForeignRoutingPolicyRules=yes by default",
		},
		{
			name:  "a carrier that is lost for a moment deletes the routes over the uplink",
			setup: dependents, event: loseCarrier, intact: routesAreThere,
			object: "/etc/systemd/network/10-eth0.network", says: "when the carrier is lost",
		},
		{
			name:   "pods behind routes lose them, and their gateway, at a reload",
			files:  map[string]string{"99-all.network": "[Match]\nName=*\n" + quiet},
			pods:   func(n *Node, guarded bool) Pod { return n.AddRouted("pod", guarded) },
			event:  reloadAll,
			intact: "ip route show 10.88.0.2 | grep -q $VETH", object: "/etc/systemd/network/99-all.network", says: "deletes the addresses and routes",
		},
		{
			name:   "a file for a tunnel's device changes its MAC and its MTU",
			files:  map[string]string{"30-flannel.network": "[Match]\nName=flannel*\n[Link]\nMACAddress=02:00:00:00:00:99\nMTUBytes=1300\n" + quiet},
			setup:  flannel,
			event:  restart,
			intact: "ip link show flannel.1 | grep -q 02:00:00:00:00:05; ip link show flannel.1 | grep -q 'mtu 1450'; ip neigh show dev flannel.1 | grep -q PERMANENT",
			object: "/etc/systemd/network/30-flannel.network", says: "MACAddress=02:00:00:00:00:99",
		},
	}
}

// flannel makes what flanneld makes, with one peer. It is there before networkd may
// see it, as on a node that boots: the device comes later than networkd.
const flannel = `
ip link show flannel.1 >/dev/null 2>&1 || ip link add flannel.1 address 02:00:00:00:00:05 mtu 1450 type vxlan id 1 dstport 8472 local 192.0.2.10 dev eth0 nolearning
ip link set flannel.1 address 02:00:00:00:00:05 mtu 1450 up
ip address replace 10.88.0.0/32 dev flannel.1
ip route replace 10.88.2.0/24 via 10.88.2.0 dev flannel.1 onlink
ip neigh replace 10.88.2.0 lladdr 02:00:00:00:00:22 dev flannel.1 nud permanent
bridge fdb replace 02:00:00:00:00:22 dev flannel.1 dst 192.0.2.11`

func restart(n *Node, d *Daemon) {
	d.Restart()
	n.settled()
}

// settled waits until networkd has done what it does at its start.
func (n *Node) settled() {
	n.t.Helper()
	n.Await("networkd knows all links", `for link in /sys/class/net/*/ifindex; do grep -q -e ADMIN_STATE=unmanaged -e ADMIN_STATE=config -e ADMIN_STATE=failed /run/systemd/netif/links/$(cat $link); done; grep -q ADMIN_STATE=configured /run/systemd/netif/links/$(cat /sys/class/net/eth0/ifindex)`)
}

// reload has networkd read a file again that says something else about the uplink. It
// is done once the state of the link has it.
func reload(n *Node, _ *Daemon) {
	n.t.Helper()
	n.Run("printf 'DNS=192.0.2.53\\n' >>/etc/systemd/network/10-eth0.network; networkctl reload")
	n.Await("networkd applies the file", "state=/run/systemd/netif/links/$(cat /sys/class/net/eth0/ifindex); grep -q DNS=192.0.2.53 $state; grep -q ADMIN_STATE=configured $state")
}

// reloadAll does the same with the file that matches everything. lo is never kept from it.
func reloadAll(n *Node, _ *Daemon) {
	n.t.Helper()
	n.Run("printf 'DNS=192.0.2.54\\n' >>/etc/systemd/network/99-all.network; networkctl reload")
	n.Await("networkd applies the file", "state=/run/systemd/netif/links/1; grep -q DNS=192.0.2.54 $state; grep -q ADMIN_STATE=configured $state")
}

func loseCarrier(n *Node, _ *Daemon) {
	n.t.Helper()
	state := "/run/systemd/netif/links/$(cat /sys/class/net/eth0/ifindex)"
	n.Run("ip -n fabric link set eth0 down")
	n.Await("networkd sees that the carrier is lost", "grep -q CARRIER_STATE=no-carrier "+state)
	n.Run("ip -n fabric link set eth0 up")
	n.Await("networkd has the link again", "grep -q CARRIER_STATE=carrier "+state+"; grep -q ADMIN_STATE=configured "+state)
}

// TestNetworkd plays each incident without the guard, where it must do harm, and then
// with the advice of doctor, where it must not.
func TestNetworkd(t *testing.T) {
	for _, release := range []Release{Own, Trixie} {
		for _, i := range incidents() {
			t.Run(string(release)+"/"+i.name, func(t *testing.T) {
				t.Run("without", func(t *testing.T) { i.play(t, release, false) })
				t.Run("with", func(t *testing.T) { i.play(t, release, true) })
			})
		}
	}
}

func (i incident) play(t *testing.T, release Release, advised bool) {
	n := NewNode(t, release, "ro")
	d := n.networkd(i.files)
	add := i.pods
	if add == nil {
		add = func(n *Node, guarded bool) Pod { return n.Add("pod", guarded) }
	}
	pod := add(n, advised)
	n.settled()
	with := func(commands string) string { return strings.ReplaceAll(commands, "$VETH", pod.Veth) }
	n.Run(with(i.setup))
	if advised {
		i.follow(n, d)
		n.Run(with(i.setup)) // what the way there may have taken away
		if moved(i) {
			pod = n.Add("new", true)
		}
		n.Run(with(i.intact))
	}
	if !moved(i) {
		i.event(n, d)
	} else {
		n.settled()
	}
	if advised {
		if out, err := n.Try(with(i.intact)); err != nil {
			t.Errorf("%s does not cure it: %s", i.object, out+n.Run("ip -o link; ip route; ip rule"))
		}
		if state, findings := n.Doctor("link-manager"); state == "failed" && strings.Contains(fmt.Sprint(findings), i.object) {
			t.Errorf("after that link-manager still finds %+v", findings)
		}
		if !n.Reaches(pod) {
			t.Errorf("the node does not reach %s", pod.ID)
		}
		return
	}
	// A shell of its own, as -e does not count behind the exclamation mark.
	n.Await("something is lost", "! sh -e <<'INTACT'\n"+with(i.intact)+"\nINTACT\n")
}

// moved reports whether the incident is that a new pod's interface is moved.
func moved(i incident) bool { return strings.Contains(i.says, "br0") }

// follow runs what doctor advises.
func (i incident) follow(n *Node, d *Daemon) {
	n.t.Helper()
	_, findings := n.Doctor("link-manager")
	found, later := false, false
	for _, f := range findings {
		if f.Object == i.object && f.Says(i.says) {
			found = true
		}
		later = later || f.HoldsLater()
	}
	if !found {
		n.t.Fatalf("link-manager does not find that %s %q: %+v", i.object, i.says, findings)
	}
	n.SameInBundle("link-manager", i.object)
	for _, f := range findings {
		n.Run(f.Command)
	}
	if later {
		d.Restart()
	}
	n.settled()
}

// networkd starts networkd with a static uplink.
func (n *Node) networkd(files map[string]string) *Daemon {
	n.t.Helper()
	n.Run("ip netns add fabric; ip link add eth0 type veth peer name eth0 netns fabric; ip -n fabric link set eth0 up; ip link set eth0 up")
	n.Write("/etc/systemd/network/10-eth0.network", staticUplink)
	for name, text := range files {
		n.Write("/etc/systemd/network/"+name, text)
	}
	d := n.Start("/lib/systemd/systemd-networkd")
	n.settled()
	return d
}
