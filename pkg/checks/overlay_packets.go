// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// An overlayPacket is a packet that the pod network needs to pass.
type overlayPacket struct {
	firewall.Packet
	device  string
	what    string // "packets of UDP port 8472 from other nodes"
	impact  string
	tracked bool // the state is not given: both directions are one connection
	// Of pod traffic: the ranges of all pods, and the bridge of this node's.
	pods   []netip.Prefix
	bridge string
}

// maxJudgedPeers bounds how many peers are judged one by one; a rule for one address
// beyond these is not found.
const maxJudgedPeers = 32

// overlayPackets returns the packets that the tunnels of the node need, and a clause for
// each tunnel whose packets are not known.
func overlayPackets(t *Target) (all []overlayPacket, doubts []string, err error) {
	tunnels, err := t.tunnels()
	if err != nil {
		return nil, nil, err
	}
	ranges, err := t.podRanges()
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errPodCIDRByNode) {
		return nil, nil, err
	}
	owned, err := podTunnels(t, ranges)
	if err != nil {
		return nil, nil, err
	}
	links, err := t.Node.Links()
	if err != nil {
		return nil, nil, err
	}
	_, bridge := t.primaryPlugin()
	n := overlayNode{t: t, links: links, ranges: ranges, bridge: bridge, dump: tunnels.TunnelDump}
	peers := map[string][]tunnel.Peer{}
	for _, p := range tunnels.Peers {
		peers[p.Device] = append(peers[p.Device], p)
	}
	for _, device := range tunnels.Links {
		external := device.External && device.Port != 0
		if !device.Up || !external && !owned[device.Name] || device.Kind == "openvswitch" {
			continue
		}
		outer, doubt := n.outer(device, peers[device.Name])
		if doubt != "" {
			doubts = append(doubts, doubt)
		}
		all = append(all, outer...)
		all = append(all, n.inner(device, peers[device.Name])...)
	}
	if len(all) > 0 {
		all = append(all, n.bridged()...)
	}
	return all, doubts, nil
}

// bridged returns the new connections between pods of this node, where br_netfilter has the
// packets that the bridge forwards pass through FORWARD.
func (n overlayNode) bridged() []overlayPacket {
	at := slices.IndexFunc(n.links, func(l netstate.Link) bool { return n.bridge != "" && l.Name == n.bridge })
	if at < 0 {
		return nil
	}
	side := firewall.Interface{Name: n.links[at].Name, Index: n.links[at].Index}
	var all []overlayPacket
	for _, six := range []bool{false, true} {
		own, ok := n.ownBlock(side.Name, six)
		if !ok || !n.filtersBridge(six) {
			continue
		}
		all = append(all, overlayPacket{
			Packet: firewall.Packet{Hook: firewall.Forward, Six: six, Protocol: 6, In: side, Out: side, Src: own, Dst: own, States: []firewall.State{firewall.New}},
			device: side.Name, bridge: n.bridge, pods: n.ranges.family(own.Addr()).prefixes,
			what: "new connections between pods of this node, which br_netfilter brings to FORWARD,", impact: "pods of this node cannot connect to each other",
		})
	}
	return all
}

// filtersBridge reports whether FORWARD sees the packets that the bridge forwards.
func (n overlayNode) filtersBridge(six bool) bool {
	value, err := n.t.Node.Sysctl(bypass{six: six}.sysctl())
	if err != nil {
		return false // br_netfilter is not loaded
	}
	if value == "1" {
		return true
	}
	bridge, err := n.t.Node.Bridge(n.bridge)
	return err == nil && bridge.NFCall(six)
}

// An overlayNode is what is known of the node for its packets.
type overlayNode struct {
	t      *Target
	links  []netstate.Link
	ranges podRanges
	bridge string
	dump   netstate.TunnelDump
}

// transport returns the IP protocol of the outer packets and what they are called; 0 for a
// kind that has none of its own.
func transport(d netstate.TunnelLink) (protocol uint8, name string) {
	if d.Port != 0 {
		return 17, fmt.Sprintf("UDP port %d", d.Port)
	}
	protocol = map[string]uint8{"ipip": 4, "sit": 41, "ip6tnl": 41, "gre": 47, "gretap": 47, "ip6gre": 47, "ip6gretap": 47}[d.Kind]
	return protocol, fmt.Sprintf("IP protocol %d", protocol)
}

// A farEnd is where the outer packets of a tunnel go: an address, or any node's, and the
// UDP port there.
type farEnd struct {
	addr netip.Addr
	port uint16
}

// outer returns the encapsulated packets, from other nodes and to them, or why they are not
// known.
func (n overlayNode) outer(d netstate.TunnelLink, peers []tunnel.Peer) ([]overlayPacket, string) {
	d, doubt := n.withPort(d)
	protocol, _ := transport(d)
	if protocol == 0 {
		return nil, doubt
	}
	var ends []farEnd
	for _, p := range peers {
		end := farEnd{p.Outer, p.Port}
		if p.Outer.IsValid() && !slices.Contains(ends, end) && len(ends) < maxJudgedPeers {
			ends = append(ends, end)
		}
	}
	if len(ends) == 0 && d.Remote.IsValid() {
		ends = append(ends, farEnd{d.Remote, d.Port})
	}
	if len(ends) == 0 {
		ends = append(ends, farEnd{port: d.Port}) // any node
	}
	var all []overlayPacket
	for _, end := range ends {
		all = append(all, n.outerTo(d, end)...)
	}
	return all, ""
}

// withPort returns a device with the port of its outer packets, or why that is not known.
func (n overlayNode) withPort(d netstate.TunnelLink) (netstate.TunnelLink, string) {
	switch {
	case d.Kind == "wireguard" && d.Port == 0:
		return d, fmt.Sprintf("WireGuard tells the port of %s only to a process with CAP_NET_ADMIN", d.Name)
	case tunnel.IsFlannelUDP(d):
		bound, err := n.t.Node.BoundUDP(flannelUDPPort)
		if err != nil || !bound {
			return d, fmt.Sprintf("flanneld carries the packets of %s, and has no socket on UDP port %d, its usual one", d.Name, flannelUDPPort)
		}
		d.Port = flannelUDPPort
	}
	return d, ""
}

// oneFlow reports whether the outer packets between two nodes are one connection: they have
// no ports, or one socket sends and receives all. Other UDP tunnels hash their source
// ports, so that no packet answers another one.
func oneFlow(d netstate.TunnelLink) bool {
	return d.Port == 0 || d.Kind == "wireguard" || d.Kind == "tun"
}

// outerTo returns the encapsulated packets between a device and a far end.
func (n overlayNode) outerTo(d netstate.TunnelLink, to farEnd) []overlayPacket {
	addr := to.addr
	protocol, name := transport(d)
	p := firewall.Packet{Protocol: protocol, Six: addr.Is6() || d.Local.Is6() || strings.HasPrefix(d.Kind, "ip6")}
	p.States = []firewall.State{firewall.New}
	tracked := oneFlow(d)
	if tracked {
		p.States = append(p.States, firewall.Established)
	}
	uplink, local := firewall.Interface{}, d.Local
	if addr.IsValid() {
		// A device of WireGuard may have a route to the node: its mark chooses another table.
		if hop, err := n.t.Node.Lookup(addr); err == nil && !hop.Local && (hop.Link != d.Index || d.Kind != "wireguard") {
			uplink = n.linkOf(hop.Link)
			if !local.IsValid() {
				local = hop.Source
			}
		}
	}
	in, out := p, p
	in.Hook, in.In, in.Src, in.Dst = firewall.Input, uplink, hostPrefix(addr), hostPrefix(local)
	out.Hook, out.Out, out.Src, out.Dst = firewall.Output, uplink, hostPrefix(local), hostPrefix(addr)
	in.DstPort, out.DstPort = d.Port, to.port
	if tracked && d.Port != 0 {
		in.SrcPort, out.SrcPort = to.port, d.Port
	}
	for _, w := range n.dump.WireGuard {
		if w.Link == d.Index {
			out.Mark = &w.Mark
		}
	}
	nameOut := name
	if d.Port != 0 {
		nameOut = fmt.Sprintf("UDP port %d", to.port)
	}
	return []overlayPacket{
		{Packet: in, device: d.Name, what: "packets of " + name + " from other nodes", impact: "nothing that pods of other nodes send comes to pods of this node", tracked: tracked},
		{Packet: out, device: d.Name, what: "packets of " + nameOut + " to other nodes", impact: "nothing that pods of this node send comes to pods of other nodes", tracked: tracked},
	}
}

func hostPrefix(a netip.Addr) netip.Prefix {
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return single(a)
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func (n overlayNode) linkOf(index int) firewall.Interface {
	for _, l := range n.links {
		if l.Index == index && index != 0 {
			return firewall.Interface{Name: l.Name, Index: l.Index}
		}
	}
	return firewall.Interface{}
}

// inner returns new connections of pods, to other nodes and from them. Networks whose BPF
// programs or flows forward packets by themselves do not pass FORWARD.
func (n overlayNode) inner(d netstate.TunnelLink, peers []tunnel.Peer) []overlayPacket {
	bpf := slices.ContainsFunc(n.links, func(l netstate.Link) bool {
		return strings.HasPrefix(l.Name, "bpfin.cali") || strings.HasPrefix(l.Name, "bpfnat") || strings.HasPrefix(l.Name, "cilium_")
	})
	if bpf || d.External || d.Master != 0 {
		return nil
	}
	podSide := firewall.Interface{}
	for _, l := range n.links {
		if n.bridge != "" && l.Name == n.bridge {
			podSide = firewall.Interface{Name: l.Name, Index: l.Index}
		}
	}
	var blocks []netip.Prefix
	for _, p := range peers {
		if p.Block.IsValid() && len(blocks) < maxJudgedPeers {
			blocks = append(blocks, p.Block)
		}
	}
	if tunnel.IsFlannelUDP(d) {
		blocks = n.flannelNetworks(d)
	}
	var all []overlayPacket
	for _, block := range blocks {
		own, ok := n.ownBlock(podSide.Name, block.Addr().Is6())
		if !ok {
			continue
		}
		tunnelSide := firewall.Interface{Name: d.Name, Index: d.Index}
		p := firewall.Packet{Hook: firewall.Forward, Six: block.Addr().Is6(), Protocol: 6, States: []firewall.State{firewall.New}}
		there, back := p, p
		there.In, there.Out, there.Src, there.Dst = podSide, tunnelSide, own, block
		back.In, back.Out, back.Src, back.Dst = tunnelSide, podSide, block, own
		pods := n.ranges.family(block.Addr()).prefixes
		all = append(all,
			overlayPacket{Packet: there, device: d.Name, what: "new connections from pods of this node to other nodes", impact: "pods of this node cannot connect to pods of other nodes", pods: pods, bridge: n.bridge},
			overlayPacket{Packet: back, device: d.Name, what: "new connections from other nodes to pods of this node", impact: "pods of other nodes cannot connect to pods of this node", pods: pods, bridge: n.bridge})
	}
	return all
}

// ownBlock returns the addresses of this node's pods, as far as its tables have them: those
// of the bridge, or a block that it holds by a blackhole route.
func (n overlayNode) ownBlock(bridge string, six bool) (netip.Prefix, bool) {
	if bridge != "" {
		addrs, err := n.t.Node.Addrs(bridge)
		if err != nil {
			return netip.Prefix{}, false
		}
		for _, a := range addrs {
			if a.Addr().Is6() == six && !a.Addr().IsLinkLocalUnicast() {
				return a.Masked(), true
			}
		}
		return netip.Prefix{}, false
	}
	for _, p := range n.dump.Own {
		if p.Addr().Is6() == six && n.ranges.contains(p.Addr()) {
			return p.Masked(), true
		}
	}
	return netip.Prefix{}, true // any address
}
