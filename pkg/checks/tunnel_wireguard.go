// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// sessionFor is how long a session of WireGuard lasts without a new handshake
// (REJECT_AFTER_TIME). Whoever sends after that shakes hands first, so that a ping without
// an answer and without a handshake shows that none is possible.
const sessionFor = 180 * time.Second

// isPodWireGuard reports whether a WireGuard device is the pod network's: it is named as
// pod networks name theirs, or leads to pods. Of an operator's VPN, whose peers are no
// nodes, nothing could be reported but that they are silent.
func isPodWireGuard(p tunnel.Peer, ranges podRanges) bool {
	return isWireGuardName(p.Device) || ranges.contains(p.Block.Addr())
}

func isWireGuardName(device string) bool {
	return slices.ContainsFunc([]string{"wireguard.cali", "wg-v6.cali", "flannel-wg", "cilium_wg", "kilo", "antrea-wg"}, func(p string) bool { return strings.HasPrefix(device, p) })
}

// withoutVPNs leaves out the peers of an operator's WireGuard.
func withoutVPNs(t *Target, peers []tunnel.Peer) []tunnel.Peer {
	ranges, _ := t.podRanges() // without them the names decide
	return slices.DeleteFunc(slices.Clone(peers), func(p tunnel.Peer) bool { return p.Kind == "wireguard" && !isPodWireGuard(p, ranges) })
}

// wireGuardOf returns what WireGuard has of a peer; nil if it did not tell.
func wireGuardOf(all []netstate.WireGuard, link int, p tunnel.Peer) *netstate.WireGuardPeer {
	for _, w := range all {
		if w.Link != link {
			continue
		}
		for i, peer := range w.Peers {
			if slices.ContainsFunc(peer.Allowed, func(a netip.Prefix) bool { return a.Masked() == p.Block }) {
				return &w.Peers[i]
			}
		}
	}
	return nil
}

// endpointFindings returns the findings about peers of WireGuard to which nothing can be
// sent, and the peers that are left to ask.
func (e *tunnelEvidence) endpointFindings(t *Target, peers []tunnel.Peer) (findings []guard.Finding, rest []tunnel.Peer) {
	for _, p := range peers {
		if p.Kind != "wireguard" || p.Outer.IsValid() || wireGuardOf(e.wireGuard, e.devices[p.Device].Index, p) == nil {
			rest = append(rest, p)
			continue
		}
		findings = append(findings, guard.Finding{
			Object:   "node/" + p.Device,
			Problem:  fmt.Sprintf("has a route to %s, and its WireGuard has no endpoint for the peer there: it sends nothing until that node has sent something", p.Block),
			Evidence: fmt.Sprintf("wg show %s endpoints: (none) for the peer with allowed IPs %s", p.Device, p.Block),
			Impact:   cutOffImpact,
			Remedy:   "Restart the network's daemon on this node, which sets the endpoint from the address of the other node. If that node is behind NAT, it must send first: set a persistent keepalive there.",
			Minor:    strings.HasPrefix(p.Device, "kilo"), // whose nodes may be behind NAT by design
		})
	}
	ranges, _ := t.podRanges() // without them the names decide
	for _, u := range e.unallowed {
		if !isPodWireGuard(tunnel.Peer{Device: u.Device, Block: u.Block}, ranges) {
			continue
		}
		findings = append(findings, guard.Finding{
			Object:   "node/" + u.Device,
			Problem:  fmt.Sprintf("has a route to %s, and no peer of its WireGuard may have such addresses: the kernel drops what goes there", u.Block),
			Evidence: fmt.Sprintf("wg show %s allowed-ips has no %s", u.Device, u.Block),
			Impact:   "pods of this node do not reach those of " + u.Block.String(),
			Remedy:   "Restart the network's daemon on this node, which sets the peers again. If the node with that block is gone, remove the route.",
			Command:  fmt.Sprintf("wg show %s allowed-ips", u.Device),
		})
	}
	return limitFindings(findings), rest
}

// readWireGuardAgain reads what WireGuard has once its peers were pinged.
func (e *tunnelEvidence) readWireGuardAgain(t *Target) {
	if slices.ContainsFunc(e.inner, func(r tunnel.ProbeResult) bool { return r.Peer.Kind == "wireguard" && r.State == tunnel.Silent }) {
		if dump, err := t.Node.TunnelDump("wireguard"); err == nil { // without it nothing is known of them
			e.wireGuardAfter = dump.WireGuard
		}
	}
	e.now = t.now()
}

// judgeWireGuard weighs what WireGuard says of a peer that did not answer.
func (e *tunnelEvidence) judgeWireGuard(r tunnel.ProbeResult) (*guard.Finding, string) {
	p, link := r.Peer, e.devices[r.Peer.Device].Index
	before, after := wireGuardOf(e.wireGuard, link, p), wireGuardOf(e.wireGuardAfter, link, p)
	node, probed := e.outer[p.Outer]
	switch {
	case before == nil || after == nil:
		return nil, doubt(p, "is silent, and WireGuard did not tell of its handshakes")
	case after.Received > before.Received || after.Handshake.After(before.Handshake):
		return nil, "" // the tunnel carries both ways; it is pings that do not pass
	case e.now.Sub(after.Handshake) < sessionFor && p.Guessed:
		return nil, "" // likewise, and nothing may have the address
	case e.now.Sub(after.Handshake) < sessionFor:
		return nil, doubt(p, "is silent, and its last handshake is less than three minutes old")
	case !probed || node.State == tunnel.Unprobed:
		return nil, doubt(p, "is silent, no handshake succeeds, and the node itself could not be probed")
	case !node.State.Confirms():
		return nil, doubt(p, "is silent, and so is the node itself, which may be switched off")
	}
	when := "there never was one"
	if !after.Handshake.IsZero() {
		when = "the last is more than three minutes old"
	}
	f := peerFinding(p, cutOff, fmt.Sprintf("the node itself answers pings, and the handshakes of WireGuard get no answer (%s): UDP port %d is dropped on the way, or that node has another key or port", when, p.Port), false)
	f.Evidence = fmt.Sprintf("wg show %s: endpoint %s:%d, %d bytes sent, %d received, latest handshake: %s", p.Device, p.Outer, p.Port, after.Sent, after.Received, handshakeText(after.Handshake))
	f.Remedy += fmt.Sprintf(" If it is allowed, compare wg show %s on both nodes: each must have the other's public key, endpoint and allowed IPs. The network's daemon sets them again when it starts.", p.Device)
	return f, ""
}

func handshakeText(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.DateTime + " MST")
}
