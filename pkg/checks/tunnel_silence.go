// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// cutOff is the beginning of a finding about a peer.
const (
	cutOff       = "does not reach"
	cutOffImpact = "pods of the two nodes do not reach each other"
)

// judge returns the finding that a result amounts to, or the clause of a doubt, or neither.
func (e *tunnelEvidence) judge(r tunnel.ProbeResult) (*guard.Finding, string) {
	if r.State.Confirms() && r.State != tunnel.Retried || e.shared[r.Peer.Probed.String()] {
		return nil, "" // who shares a MAC has a finding of its own
	}
	if i, ok := e.incomplete[gatewayOf{r.Peer.Device, r.Peer.Probed}]; ok {
		return incompleteFinding(r.Peer, i), ""
	}
	switch r.State {
	case tunnel.Retried:
		return peerFinding(r.Peer, "loses the first packets to", "the first of two pings was lost, and the second answered", true), ""
	case tunnel.Silent:
		return e.judgeSilence(r)
	case tunnel.Unreachable:
		if r.By == r.Peer.Outer && r.By.IsValid() || isBehind(r.Peer, r.By) {
			return nil, "" // the tunnel delivered the ping, and the error came back
		}
		return nil, doubt(r.Peer, unreachableText(r))
	}
	return nil, ""
}

// judgeSilence weighs the other evidence on a peer that did not answer. What shows a cause
// comes before what only shows that there is one.
func (e *tunnelEvidence) judgeSilence(r tunnel.ProbeResult) (*guard.Finding, string) {
	protocol := trackedProtocol(r.Peer)
	flow := e.flows[nodeProtocol{r.Peer.Outer, protocol}]
	node, probed := e.outer[r.Peer.Outer]
	if finding, doubt := e.ruleCause(r.Peer); finding != nil || doubt != "" {
		return finding, doubt
	}
	if finding := e.ownCause(r); finding != nil {
		return finding, ""
	}
	if r.Peer.Kind == "wireguard" && len(e.wireGuard) > 0 {
		return e.judgeWireGuard(r)
	}
	switch {
	case protocol != 0 && flow.received: // its packets do arrive; it is pings that do not
		return nil, ""
	case !r.Peer.Outer.IsValid():
		return nil, doubt(r.Peer, "is silent, and the kernel's tables do not have the node's own address, which could be pinged")
	case !probed || node.State == tunnel.Unprobed:
		return nil, doubt(r.Peer, "is silent, and the node itself could not be probed")
	case !node.State.Confirms():
		return nil, doubt(r.Peer, "is silent, and so is the node itself, which may be switched off")
	case protocol != 0 && flow.sent:
		cause := fmt.Sprintf("the node itself answers pings, but no packet of IP protocol %d comes from it (conntrack: UNREPLIED): its firewall has no inbound rule for IP protocol %d%s", protocol, protocol, protocolName(protocol))
		if r.Peer.Guessed {
			cause += ", or nothing has the address that was pinged, which is a guess"
		}
		return peerFinding(r.Peer, cutOff, cause, r.Peer.Guessed), ""
	case r.Peer.Guessed:
		return nil, doubt(r.Peer, "is silent, the node itself answers pings, and the address in the tunnel is a guess")
	}
	if finding, settled := e.judgeMAC(r); settled {
		return finding, ""
	}
	cause := "the node itself answers pings, but not through the tunnel: " + carrier(r.Peer) + " is dropped on the way"
	if r.Peer.Kind == "vxlan" {
		cause += ", or the peer's device has another VNI or MAC than this node's tables"
	}
	if rebuilt := e.memory.rebuilt(r.Peer.Device); rebuilt != "" {
		finding := peerFinding(r.Peer, cutOff, "the node itself answers pings, but not through the tunnel, whose device "+rebuilt+": the peer may still send to the old one", false)
		finding.Remedy = "Have the network announce the device again: restart its daemon on this node. With flannel compare ip -d link show " + r.Peer.Device + " with the annotation flannel.alpha.coreos.com/backend-data of this node."
		return finding, ""
	}
	return peerFinding(r.Peer, cutOff, cause, false), ""
}

// ruleCause returns the finding for a rule of this node that surely drops the packets of
// the tunnel. One that drops the pings themselves says nothing of the tunnel.
func (e *tunnelEvidence) ruleCause(p tunnel.Peer) (*guard.Finding, string) {
	if e.rules == nil {
		return nil, ""
	}
	what, rule, outer := e.rules.dropsProbe(p)
	switch {
	case rule == nil:
		return nil, ""
	case !outer:
		return nil, doubt(p, "is silent, as "+what+" are dropped on this node by "+ruleName(rule))
	}
	f := peerFinding(p, cutOff, fmt.Sprintf("this node itself drops %s, by %s", what, ruleName(rule)), false)
	f.Evidence, f.Remedy = rule.String(), ruleRemedy(rule)
	return f, ""
}

// ownCause returns the finding for a cause that packets or counters show; nil if none does.
func (e *tunnelEvidence) ownCause(r tunnel.ProbeResult) *guard.Finding {
	p, grown := r.Peer, e.grown[r.Peer.Device]
	var f *guard.Finding
	switch {
	case e.circles[p.Outer]:
		f = peerFinding(p, cutOff, fmt.Sprintf("this node routes what is for %s, the tunnel's own packets, into the tunnel, and the kernel drops it", p.Outer), false)
		f.Evidence = fmt.Sprintf("ip route get %s = dev %s", p.Outer, p.Device)
		f.Remedy = fmt.Sprintf("Remove the route over %s that contains %s, or add a more specific one over the node's uplink. A pod range or a block must not contain the addresses of nodes.", p.Device, p.Outer)
		f.Command = "ip route get " + p.Outer.String()
	case r.Carrier.Closed && r.Carrier.By == p.Outer:
		f = peerFinding(p, cutOff, fmt.Sprintf("%s answers %s with the ICMP error %q: its tunnel device is down or gone, or has another port, or its firewall rejects the packets in these words", p.Outer, carrier(p), r.Carrier.Reason), false)
		f.Remedy = fmt.Sprintf("On %s look at the device: ip -d link show type %s. If it is down or gone, restart the network's daemon there; if it is up, look for a REJECT in its rules.", p.Outer, p.Kind)
	case r.Carrier.By.IsValid() && r.Carrier.By == p.Outer:
		f = peerFinding(p, cutOff, fmt.Sprintf("%s answers %s with the ICMP error %q, as a REJECT of its firewall does", p.Outer, carrier(p), r.Carrier.Reason), false)
	case r.Carrier.By.IsValid():
		f = peerFinding(p, cutOff, fmt.Sprintf("%s answers %s with the ICMP error %q", e.whose(r), carrier(p), r.Carrier.Reason), false)
	case p.Kind != "wireguard" && e.dropsItself(p.Device): // which keeps packets until a handshake
		f = peerFinding(p, cutOff, fmt.Sprintf("this node itself drops %s to it, before it leaves", carrier(p)), false)
		f.Evidence = fmt.Sprintf("TX dropped of %s grew by %d with %d pings sent", p.Device, grown.TxDropped, e.silentPackets(p.Device))
		f.Remedy = fmt.Sprintf("Find the rule: nft list ruleset, or %s -L OUTPUT -v -n, and look for one that drops %s. The check overlay-firewall names it where it can be read.", iptablesOf(p), carrier(p))
	case grown.RxOtherhost > 0 && p.Kind == "vxlan":
		own := e.devices[p.Device].MAC
		f = peerFinding(p, cutOff, fmt.Sprintf("answers arrive, but for another MAC than %s, which %s has here, and the kernel drops them: the other node has an old MAC of this device", own, p.Device), false)
		f.Evidence = fmt.Sprintf("rx_otherhost_dropped of %s grew by %d while peers were pinged", p.Device, grown.RxOtherhost)
		f.Remedy = fmt.Sprintf("Have the network announce this node's MAC again: restart its daemon on this node (flannel: the annotation flannel.alpha.coreos.com/backend-data of this node must have VtepMAC %s). Find out what changed the MAC: udev, systemd-networkd, or a device that was made again.", own)
	}
	return f
}

// whose names the sender of an ICMP error.
func (e *tunnelEvidence) whose(r tunnel.ProbeResult) string {
	for _, d := range e.devices {
		if d.Local == r.Carrier.By {
			return "this node itself"
		}
	}
	return r.Carrier.By.String() + ", a host on the way,"
}

// dropsItself reports whether the pings to the silent peers of a device did not leave. The
// kernel counts what its OUTPUT rules drop as dropped by the device, and not as sent. A
// device also drops what has no FDB entry, such as the router solicitations of IPv6, so
// that the packets that were sent decide as well.
func (e *tunnelEvidence) dropsItself(device string) bool {
	silent, all := e.sentOver(device)
	g, counted := e.grown[device]
	return counted && silent > 0 && g.TxDropped >= silent && g.TxPackets < all
}

// silentPackets returns how many requests left through a device for silent peers.
func (e *tunnelEvidence) silentPackets(device string) uint64 {
	silent, _ := e.sentOver(device)
	return silent
}

// sentOver returns how many requests left through a device, for silent peers and for all.
func (e *tunnelEvidence) sentOver(device string) (silent, all uint64) {
	for _, r := range e.inner {
		if r.Peer.Device != device {
			continue
		}
		all += uint64(r.Sent)
		if r.State == tunnel.Silent {
			silent += uint64(r.Sent)
		}
	}
	return silent, all
}

// judgeMAC judges what the peer's device said of itself. It is settled if it said
// something.
func (e *tunnelEvidence) judgeMAC(r tunnel.ProbeResult) (f *guard.Finding, settled bool) {
	p := r.Peer
	real := e.macs[peerEnd{p.Outer, p.Probed}]
	known := e.tables[p.Probed]
	switch real {
	case netstate.MAC{}:
		return nil, false
	case known: // the tunnel carries frames both ways; it is pings that do not pass
		return nil, true
	}
	f = peerFinding(p, cutOff, fmt.Sprintf("the peer's device has the MAC %s, and this node sends to %s, which the peer drops", real, known), false)
	f.Evidence = fmt.Sprintf("ip neigh show %s dev %s = %s; ARP reply from %s = %s", p.Probed, p.Device, known, p.Outer, real)
	f.Remedy = fmt.Sprintf("The entry is stale. Restart the network's daemon on this node, so that it reads the MAC again. With flannel compare the annotation flannel.alpha.coreos.com/backend-data (VtepMAC) of the node %s: if it has %s, restart flannel there.", p.Outer, known)
	return f, true
}

// incompleteFinding is that of a route to a gateway of which the kernel lacks an entry.
func incompleteFinding(p tunnel.Peer, i tunnel.Incomplete) *guard.Finding {
	missing := fmt.Sprintf("there is no neighbor entry for %s on %s", i.Gateway, i.Device)
	evidence := fmt.Sprintf("ip neigh show %s dev %s = no MAC", i.Gateway, i.Device)
	if i.MAC != (netstate.MAC{}) {
		missing = fmt.Sprintf("the FDB has no entry for %s, the MAC of %s", i.MAC, i.Gateway)
		evidence = fmt.Sprintf("bridge fdb show dev %s has no %s", i.Device, i.MAC)
	}
	blocks := []string{p.Block.String()}
	for _, b := range p.More {
		blocks = append(blocks, b.String())
	}
	return &guard.Finding{
		Object:   "node/" + i.Device,
		Problem:  fmt.Sprintf("has a route to %s, and sends nothing there: %s", named(blocks), missing),
		Evidence: evidence,
		Impact:   "pods of this node do not reach those of that node",
		Remedy: strings.Join([]string{
			"Restart the network's daemon on this node, which writes the entries again.",
			fmt.Sprintf("Find out what removed them: a change of the MAC of %s flushes its permanent neighbors (udev, systemd-networkd).", i.Device),
		}, " "),
	}
}
