// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// tunnelEvidence is what is known of the peers of tunnels besides their answers.
type tunnelEvidence struct {
	devices    map[string]netstate.TunnelLink
	incomplete map[gatewayOf]tunnel.Incomplete
	unrouted   []tunnel.Unrouted
	shared     map[string]bool // tunnel addresses whose MAC another node has
	memory     peerMemory
	unallowed  []tunnel.Unallowed
	wireGuard  []netstate.WireGuard

	inner   []tunnel.ProbeResult
	outer   map[netip.Addr]tunnel.ProbeResult // of the nodes' own addresses
	grown   map[string]netstate.LinkCounters  // what the counters of devices gained while their peers were probed
	flows   map[nodeProtocol]flowState
	macs    map[peerEnd]netstate.MAC // what the ends of tunnels say themselves
	tables  map[netip.Addr]netstate.MAC
	circles map[netip.Addr]bool // outer addresses that are routed into their own tunnel
	rules   *localRules         // of this node; nil if no peer is silent, or they cannot be read

	wireGuardAfter []netstate.WireGuard // once the peers were pinged
	now            time.Time            // by then
}

// A gatewayOf is a gateway of a device.
type gatewayOf struct {
	device  string
	gateway netip.Addr
}

// A peerEnd is the far end of a tunnel.
type peerEnd struct{ outer, inner netip.Addr }

func newTunnelEvidence(d netstate.TunnelDump, table tunnel.Table, memory peerMemory) *tunnelEvidence {
	e := &tunnelEvidence{
		devices: map[string]netstate.TunnelLink{}, incomplete: map[gatewayOf]tunnel.Incomplete{}, shared: map[string]bool{},
		unrouted: table.Unrouted, unallowed: table.Unallowed, wireGuard: d.WireGuard, memory: memory, tables: map[netip.Addr]netstate.MAC{},
	}
	for _, l := range d.Links {
		e.devices[l.Name] = l
	}
	for _, n := range d.Neighbours {
		e.tables[n.Addr] = n.MAC
	}
	for _, i := range table.Incomplete {
		e.incomplete[gatewayOf{i.Device, i.Gateway}] = i
	}
	// Routes whose entry is lost lead to the nodes of which only an entry is left.
	e.unrouted = slices.DeleteFunc(slices.Clone(e.unrouted), func(u tunnel.Unrouted) bool {
		return slices.ContainsFunc(table.Incomplete, func(i tunnel.Incomplete) bool { return i.Device == u.Device })
	})
	for _, dup := range table.Duplicates {
		for _, who := range dup.Who {
			e.shared[who] = e.shared[who] || dup.MAC
		}
	}
	return e
}

// A nodeProtocol is an IP protocol to and from the own address of a node.
type nodeProtocol struct {
	node     netip.Addr
	protocol uint8
}

// A flowState is what connection tracking has of encapsulated packets. The zero flowState
// says nothing: connections may not be tracked here.
type flowState struct{ sent, received bool }

// flowsOf returns what connection tracking has of the protocols of the peers; nothing, if
// it cannot be read.
func flowsOf(t *Target, results []tunnel.ProbeResult) map[nodeProtocol]flowState {
	flows := map[nodeProtocol]flowState{}
	read := map[uint8]bool{0: true}
	for _, r := range results {
		protocol := trackedProtocol(r.Peer)
		if read[protocol] {
			continue
		}
		read[protocol] = true
		found, err := t.Node.Flows(protocol)
		if err != nil {
			continue
		}
		for _, f := range found {
			addFlow(flows, f)
		}
	}
	return flows
}

// addFlow adds a flow for its source and for its destination. One of them is this node,
// whose entry is never read.
func addFlow(flows map[nodeProtocol]flowState, f netstate.Flow) {
	to, from := nodeProtocol{f.Dst, f.Protocol}, nodeProtocol{f.Src, f.Protocol}
	flows[to] = flowState{sent: true, received: flows[to].received || f.Replied}
	flows[from] = flowState{sent: flows[from].sent, received: true}
}

// trackedProtocol returns the IP protocol of the outer packets if connection tracking
// identifies their flows by addresses alone, else 0. It identifies UDP flows by ports, of
// which a tunnel chooses the source for each inner flow, and GRE flows by keys.
func trackedProtocol(p tunnel.Peer) uint8 {
	switch {
	case p.Port != 0:
		return 0
	case p.Kind == "ipip":
		return 4
	case p.Kind == "sit", p.Kind == "ip6tnl" && p.Block.Addr().Is6():
		return 41
	case p.Kind == "ip6tnl":
		return 4
	}
	return 0
}

// isBehind reports whether an address is one that only the tunnel leads to.
func isBehind(p tunnel.Peer, addr netip.Addr) bool {
	if p.Block.Contains(addr) {
		return true
	}
	for _, block := range p.More {
		if block.Contains(addr) {
			return true
		}
	}
	return false
}

// peerFinding returns a finding of a peer: "node/flannel.1 does not reach 192.0.2.2 (…): …".
func peerFinding(p tunnel.Peer, problem, cause string, minor bool) *guard.Finding {
	return &guard.Finding{Object: "node/" + p.Device, Problem: problem + " " + peerName(p) + ": " + cause, Remedy: allowRemedy(p), Impact: cutOffImpact, Minor: minor}
}

func peerName(p tunnel.Peer) string {
	if p.Outer.IsValid() {
		return fmt.Sprintf("%s (%s, pinged at %s)", p.Outer, p.Block, p.Probed)
	}
	return fmt.Sprintf("%s (pinged at %s)", p.Block, p.Probed)
}

// doubt returns a clause about a peer.
func doubt(p tunnel.Peer, why string) string { return p.Device + " to " + peerName(p) + " " + why }

// unreachableText says who reported that a peer is unreachable, and why.
func unreachableText(r tunnel.ProbeResult) string {
	by := "this node"
	if r.By.IsValid() {
		by = r.By.String()
	}
	if r.Reason == "" {
		return "is unreachable, says " + by
	}
	return "is unreachable (" + r.Reason + "), says " + by
}

// carrier names the outer packets of a tunnel.
func carrier(p tunnel.Peer) string {
	if p.Port != 0 {
		return fmt.Sprintf("UDP port %d", p.Port)
	}
	if protocol := trackedProtocol(p); protocol != 0 {
		return fmt.Sprintf("IP protocol %d%s", protocol, protocolName(protocol))
	}
	switch p.Kind {
	case "gre", "gretap", "ip6gre", "ip6gretap":
		return "IP protocol 47 (gre)"
	case "openvswitch":
		return "the traffic of Open vSwitch (geneve is UDP port 6081)"
	}
	return "the traffic of " + p.Kind
}

// protocolName returns a name that distinguishes the protocol from the one that it is mistaken for. /etc/protocols and
// iptables call 94 ipip; Neutron's API calls 4 so, and then calls iptables
// (launchpad.net/bugs/2054324).
func protocolName(protocol uint8) string {
	if protocol == 4 {
		return " (ipencap; not 94, which OpenStack calls ipip)"
	}
	return " (ipv6)"
}

// allowRemedy returns the commands that allow the outer packets, for each cloud. NODES
// stands for the group, tag or range of all nodes.
func allowRemedy(p tunnel.Peer) string {
	protocol := trackedProtocol(p)
	switch {
	case p.Port != 0:
		return fmt.Sprintf("Allow UDP port %[1]d inbound on all nodes, from all nodes. "+
			"AWS: aws ec2 authorize-security-group-ingress --group-id NODES --ip-permissions 'IpProtocol=udp,FromPort=%[1]d,ToPort=%[1]d,UserIdGroupPairs=[{GroupId=NODES}]'. "+
			"OpenStack: openstack security group rule create --protocol udp --dst-port %[1]d --remote-group NODES NODES. "+
			"Google: gcloud compute firewall-rules create allow-tunnels --allow=udp:%[1]d --source-tags=NODES --target-tags=NODES. "+
			"On the node: %[2]s -I INPUT -p udp --dport %[1]d -s NODES -j ACCEPT (docs/tunnels.md).", p.Port, iptablesOf(p))
	case protocol == 0:
		return "Allow " + carrier(p) + " inbound on all nodes, from all nodes (docs/tunnels.md)."
	}
	google := fmt.Sprint(protocol)
	if protocol == 4 {
		google = "ipip"
	}
	return fmt.Sprintf("Allow IP protocol %[1]d%[2]s inbound on all nodes, from all nodes. "+
		"AWS: aws ec2 authorize-security-group-ingress --group-id NODES --ip-permissions 'IpProtocol=%[1]d,UserIdGroupPairs=[{GroupId=NODES}]'. "+
		"OpenStack: openstack security group rule create --protocol %[1]d --remote-group NODES NODES. "+
		"Google: gcloud compute firewall-rules create allow-tunnels --allow=%[3]s --source-tags=NODES --target-tags=NODES. "+
		"On the node: %[4]s -I INPUT -p %[1]d -s NODES -j ACCEPT. "+
		"Until then keep the tunnels warm on all nodes: guardctl tunnels warm --loop (docs/tunnels.md).",
		protocol, protocolName(protocol), google, iptablesOf(p))
}

// iptablesOf returns the program that has the rules for the outer packets.
func iptablesOf(p tunnel.Peer) string {
	if p.Outer.Is6() {
		return "ip6tables"
	}
	return "iptables"
}
