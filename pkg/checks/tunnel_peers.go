// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// tunnelPeers pings the other nodes through the tunnels, and silent ones at their own
// addresses. Silence alone is no finding: nodes are switched off, and policies forbid
// pings. A peer that nothing explains is an unknown.
type tunnelPeers struct{}

func (tunnelPeers) declare() guard.Declaration {
	return guard.Declaration{Name: "tunnel-peers"}
}

func (tunnelPeers) check() *Check {
	return &Check{
		ID:        "CG402",
		Summary:   "Pods on two nodes cannot reach each other, or only after minutes: a firewall accepts encapsulated packets only after its node has sent some, a tunnel device is down, or two nodes have the same tunnel address.",
		Detection: "Links, routes, neighbors and FDB show devices that are down although the network needs them, addresses, blocks or MACs that two nodes claim, routes that lack a neighbor or FDB entry, or a peer or an endpoint of WireGuard, and nodes to which there is no longer a route. Each peer is pinged through its tunnel. A silent peer is also pinged at its own address and, with VXLAN, asked by ARP for the MAC of its device. If the node itself answers, the finding names the first of these causes that applies: the tunnel's own packets are routed into it; a host answers them with an ICMP error; this node drops them (TX dropped of the device); answers come for another MAC (rx_otherhost_dropped); the peer's device has another MAC than this node's tables; connection tracking has packets of IP protocol 4 to the node and none from it (conntrack -L -p 4 shows [UNREPLIED]); WireGuard has had no handshake for three minutes, though the pings ask for one; otherwise the packets are dropped on the way. For VXLAN, connection tracking gives no evidence, because each direction is a separate flow. With flannel's backend udp (flannel0) only the device is checked, because only flanneld knows the peers.",
		Remedy:    "Allow the tunnel's packets on every node, from every other node, if the finding names no other cause: for ipip that is IP protocol 4 (ipencap; not 94, which some call ipip). See docs/tunnels.md for each cloud; run guardctl tunnels --probe to see all peers.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeTunnelPeers,
	}
}

// Bounds of one run. The engine allows a probe two seconds (guard.Deadline).
const (
	innerWait   = 500 * time.Millisecond
	innerWithin = 1100 * time.Millisecond
	outerWait   = 300 * time.Millisecond
	outerWithin = 500 * time.Millisecond

	// maxInnerPackets may leave through the tunnels. That leaves some for the nodes
	// themselves: there is no time to wait for the next second.
	maxInnerPackets = tunnel.MaxPerSecond * 3 / 4

	// maxPeerFindings bounds how many peers with the same problem are listed: a
	// list of a thousand findings is of no use.
	maxPeerFindings = 10
)

func probeTunnelPeers(ctx context.Context, t *Target) ([]guard.Finding, error) {
	all, err := t.tunnels()
	if err != nil {
		return nil, err
	}
	dump, table := all.TunnelDump, all.Table
	memory := t.recallPeers(dump, table)
	findings := append(downFindings(table.Down), flannelUDPFindings(dump, memory)...)
	e := newTunnelEvidence(dump, table, memory)
	unsent, peers := e.endpointFindings(t, withoutVPNs(t, table.Peers))
	findings = append(findings, unsent...)
	guard.Hold(ctx, findings...)
	broken, doubts, err := e.probePeers(ctx, t, samplePeers(peers))
	if t.PeersProbed != nil && err == nil {
		t.PeersProbed(peers, e.inner)
	}
	findings = append(findings, e.duplicateFindings(table.Duplicates)...)
	findings = append(findings, limitFindings(broken)...)
	findings = append(findings, e.lostFindings(t)...)
	switch {
	case len(findings) == 0 && err != nil:
		return nil, err
	case len(findings) == 0 && len(peers) == 0 && noPeers(table, memory) != "":
		return nil, guard.Skip(noPeers(table, memory))
	case len(findings) == 0 && len(doubts) > 0:
		return nil, fmt.Errorf("check whether %s: %s", tunnelsWork(len(doubts)), joinFirst(doubts))
	case len(doubts) > 0: // they must not get lost beside the findings
		findings = append(findings, guard.Finding{
			Object:  "node",
			Problem: "does not show whether " + tunnelsWork(len(doubts)) + ": " + joinFirst(doubts),
			Remedy:  "Check whether these nodes are up; if so, see docs/tunnels.md, and run guardctl tunnels --probe on them as well.",
			Minor:   true,
		})
	}
	return findings, nil
}

// samplePeers returns as many peers as the packets allow if none answers. If there are
// more, each run takes others.
func samplePeers(peers []tunnel.Peer) []tunnel.Peer {
	if maxPackets(peers...) <= maxInnerPackets {
		return peers
	}
	var sample []tunnel.Peer
	left := maxInnerPackets
	for _, at := range rand.Perm(len(peers)) {
		if left -= maxPackets(peers[at]); left < 0 {
			break
		}
		sample = append(sample, peers[at])
	}
	return sample
}

// maxPackets returns how many packets it takes at most to probe peers: two for each, and
// one for each alternative address.
func maxPackets(peers ...tunnel.Peer) int {
	n := 0
	for _, p := range peers {
		n += 2 + len(p.Also)
	}
	return n
}

// probePeers returns a finding for each peer that is shown to be cut off, and a clause for
// each of which that remains unknown.
func (e *tunnelEvidence) probePeers(ctx context.Context, t *Target, peers []tunnel.Peer) (findings []guard.Finding, doubts []string, err error) {
	if len(peers) > 0 {
		before := e.countersOf(t, peers)
		e.inner, err = tunnel.Probe(ctx, t.Node.ListenICMP, peers, tunnel.ProbeOptions{Wait: innerWait, RetryAfter: innerWait / 2, Within: innerWithin})
		if err != nil {
			return nil, nil, fmt.Errorf("probe the peers of tunnels: %w", err)
		}
		e.grown = e.growthSince(t, before)
	}
	e.outer = e.probeOuter(ctx, t)
	e.flows = flowsOf(t, e.inner)
	e.askMACs(ctx, t)
	e.lookUp(t)
	e.readWireGuardAgain(t)
	if slices.ContainsFunc(e.inner, func(r tunnel.ProbeResult) bool { return r.State == tunnel.Silent }) {
		e.rules, _ = readLocalRules(t) // without them the other evidence is left
	}
	for _, r := range e.inner {
		finding, doubt := e.judge(r)
		if finding != nil {
			findings = append(findings, *finding)
		}
		if doubt != "" {
			doubts = append(doubts, doubt)
		}
	}
	return findings, doubts, nil
}

// probeOuter probes the peers that were silent through the tunnel at their own addresses,
// and the nodes to which no route leads, as many as the rest of the budget allows.
func (e *tunnelEvidence) probeOuter(ctx context.Context, t *Target) map[netip.Addr]tunnel.ProbeResult {
	var nodes []tunnel.Peer
	budget := tunnel.SendBudget{At: time.Now()}
	for _, r := range e.inner {
		budget.Packets += r.Sent
		if r.State == tunnel.Silent && r.Peer.Outer.IsValid() {
			nodes = append(nodes, tunnel.Peer{Probed: r.Peer.Outer})
		}
	}
	for _, lost := range e.lost() {
		nodes = append(nodes, tunnel.Peer{Probed: lost})
	}
	nodes = nodes[:min(len(nodes), max(0, tunnel.MaxPerSecond-budget.Packets)/2)]
	results := make(map[netip.Addr]tunnel.ProbeResult, len(nodes))
	if len(nodes) == 0 {
		return results
	}
	// After an error nothing is known of the nodes.
	outer, _ := tunnel.Probe(ctx, t.Node.ListenICMP, nodes, tunnel.ProbeOptions{Wait: outerWait, RetryAfter: outerWait / 2, Within: outerWithin, Budget: budget})
	for _, r := range outer {
		results[r.Peer.Probed] = r
	}
	return results
}

func downFindings(down []tunnel.Down) []guard.Finding {
	var findings []guard.Finding
	for _, d := range down {
		remedy := fmt.Sprintf("Run ip link set %s up, restart the network's daemon on this node, which restores the routes that the kernel dropped, and find out what took the device down (a network manager, or a cleanup script).", d.Device)
		findings = append(findings, guard.Finding{Object: "node/" + d.Device, Problem: "is down, and " + d.Needed, Remedy: remedy})
	}
	return findings
}

// limitFindings returns the first few findings, and one that counts the others.
func limitFindings(findings []guard.Finding) []guard.Finding {
	if len(findings) <= maxPeerFindings {
		return findings
	}
	rest := findings[maxPeerFindings]
	rest.Object = "node"
	rest.Problem = fmt.Sprintf("has the same problem with %d more peers; guardctl tunnels --probe lists them", len(findings)-maxPeerFindings)
	return append(findings[:maxPeerFindings:maxPeerFindings], rest)
}

func tunnelsWork(n int) string {
	if n == 1 {
		return "1 tunnel works"
	}
	return fmt.Sprintf("%d tunnels work", n)
}

// joinFirst joins the first few clauses, and counts the others.
func joinFirst(doubts []string) string {
	const few = 3
	if len(doubts) <= few {
		return strings.Join(doubts, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(doubts[:few], "; "), len(doubts)-few)
}
