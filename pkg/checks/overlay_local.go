// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/firewall"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// localRules are the node's own rules, for checks that saw a packet vanish and want to name
// a rule of this node instead of "something on the way".
type localRules struct {
	rules *firewall.Rules
	node  overlayNode
}

// readLocalRules reads what is needed to judge the rules of the node. Errors are those of
// Target.rules.
func readLocalRules(t *Target) (*localRules, error) {
	tunnels, err := t.tunnels()
	if err != nil {
		return nil, err
	}
	links, err := t.Node.Links()
	if err != nil {
		return nil, err
	}
	rules, err := t.rules()
	if err != nil {
		return nil, err
	}
	return &localRules{rules, overlayNode{t: t, links: links, dump: tunnels.TunnelDump}}, nil
}

// rules returns the rules of the node's packet filter. It reads them once in a run: the
// kernel's time for a dump grows with the square of the rules in a chain. Without the privilege
// to read them the error wraps fs.ErrPermission.
func (t *Target) rules() (*firewall.Rules, error) {
	if known := t.ruleset.Load(); known != nil {
		return known, nil
	}
	source, err := t.Node.Ruleset(nil)
	if err != nil {
		return nil, err
	}
	rules := firewall.Decode(source)
	t.ruleset.Store(rules)
	return rules, nil
}

// dropsProbe returns the rule of this node that surely drops the packets of a ping through
// a tunnel to a peer, and what packets these are: "packets of UDP port 8472 to other
// nodes". They are outer packets, or the ping and its answer themselves. The rule is nil if
// no rule surely does.
func (l *localRules) dropsProbe(p tunnel.Peer) (what string, rule *firewall.Rule, outer bool) {
	packets := l.outerOf(p)
	for i, packet := range append(packets, l.echo(p)...) {
		if v := l.rules.Judge(packet.Packet); v.Result == firewall.Dropped {
			return packet.what, v.Rule, i < len(packets)
		}
	}
	return "", nil, false
}

// outerOf returns the encapsulated packets of a peer.
func (l *localRules) outerOf(p tunnel.Peer) []overlayPacket {
	for _, d := range l.node.dump.Links {
		if d.Name != p.Device {
			continue
		}
		if protocol, _ := transport(d); protocol != 0 {
			return l.node.outerTo(d, farEnd{p.Outer, p.Port})
		}
	}
	return nil
}

// echo returns the ping to the address of the peer in the tunnel, and its answer.
func (l *localRules) echo(p tunnel.Peer) []overlayPacket {
	if !p.Probed.IsValid() {
		return nil
	}
	request, reply := uint8(8), uint8(0)
	packet := firewall.Packet{Protocol: 1, Six: p.Probed.Is6()}
	if packet.Six {
		packet.Protocol, request, reply = 58, 128, 129
	}
	var own netip.Addr
	device := firewall.Interface{}
	if hop, err := l.node.t.Node.Lookup(p.Probed); err == nil && !hop.Local {
		own, device = hop.Source, l.node.linkOf(hop.Link)
	}
	out, in := packet, packet
	out.Hook, out.Out, out.Src, out.Dst, out.Type = firewall.Output, device, hostPrefix(own), hostPrefix(p.Probed), &request
	out.States = []firewall.State{firewall.New}
	in.Hook, in.In, in.Src, in.Dst, in.Type = firewall.Input, device, hostPrefix(p.Probed), hostPrefix(own), &reply
	in.States = []firewall.State{firewall.Established}
	return []overlayPacket{
		{Packet: out, device: p.Device, what: "pings through the tunnel"},
		{Packet: in, device: p.Device, what: "answers to pings through the tunnel"},
	}
}
