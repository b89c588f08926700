// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// tunnelPeers asks the other nodes through the tunnels, and those that stay silent
// at their own addresses. Silence alone is no finding: nodes are switched off, and
// pings are forbidden by policy. What nobody answers for is an unknown.
type tunnelPeers struct{}

func (tunnelPeers) declare() guard.Declaration {
	return guard.Declaration{Name: "tunnel-peers"}
}

func (tunnelPeers) check() *Check {
	return &Check{
		Summary:   "Pods of two nodes cannot reach each other, or only minutes later: a firewall lets encapsulated packets in only after the node has sent some itself, a tunnel device is down, or two nodes have one tunnel address.",
		Detection: "Devices that are down although the network needs them, and addresses or blocks that two nodes claim, are told from links, routes, neighbours and FDB. Each peer is pinged through its tunnel; who is silent, by its own address as well. Findings are: the node answers and the tunnel does not; connection tracking has packets of IP protocol 4 to the node and none from it (conntrack -L -p 4 shows [UNREPLIED]); the first ping was lost and the second answered. Of VXLAN connection tracking says nothing, as each direction is a flow of its own.",
		Remedy:    "Allow what the tunnel sends, on every node, from every other: for ipip that is IP protocol 4 (ipencap; not 94, which some call ipip). See docs/tunnels.md for each cloud; run guardctl tunnels --probe to see all peers.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeTunnelPeers,
	}
}

// Bounds of one look. The engine gives a probe two seconds (guard.Deadline).
const (
	innerWait   = 500 * time.Millisecond
	innerWithin = 1100 * time.Millisecond
	outerWait   = 300 * time.Millisecond
	outerWithin = 500 * time.Millisecond

	// mostInner are the packets that may leave through the tunnels, which leaves some
	// for the nodes themselves: a look has no time to wait for the next second.
	mostInner = tunnel.MaxPerSecond * 3 / 4
)

func probeTunnelPeers(ctx context.Context, t *Target) ([]guard.Finding, error) {
	dump, err := t.Node.TunnelDump()
	if err != nil {
		return nil, err
	}
	table := tunnel.Enumerate(dump)
	findings := append(downFindings(table.Down), duplicateFindings(table.Duplicates)...)
	silent, doubts, err := askPeers(ctx, t, some(table.Peers))
	findings = append(findings, fewOf(silent)...)
	switch {
	case len(findings) == 0 && err != nil:
		return nil, err
	case len(findings) == 0 && len(doubts) > 0:
		return nil, fmt.Errorf("tell whether %s: %s", theTunnelsWork(len(doubts)), listed(doubts))
	case len(doubts) > 0: // they must not get lost beside what is known
		problem := "does not show whether " + theTunnelsWork(len(doubts)) + ": " + listed(doubts)
		findings = append(findings, guard.Finding{Object: "node", Problem: problem, Remedy: doubtRemedy, Minor: true})
	}
	return findings, nil
}

// some bounds how many peers are asked, as if none answered. Each look takes others,
// where there are more.
func some(peers []tunnel.Peer) []tunnel.Peer {
	if packetsTo(peers) <= mostInner {
		return peers
	}
	var chosen []tunnel.Peer
	left := mostInner
	for _, at := range rand.Perm(len(peers)) {
		if left -= packetsTo(peers[at : at+1]); left < 0 {
			break
		}
		chosen = append(chosen, peers[at])
	}
	return chosen
}

// packetsTo gives how many packets it takes at most to ask peers: two to each, and
// one to each address that may answer in its place.
func packetsTo(peers []tunnel.Peer) int {
	n := 0
	for _, p := range peers {
		n += 2 + len(p.Also)
	}
	return n
}

// askPeers gives a finding for each peer that is seen to be cut off, and a clause
// for each of which nobody can tell.
func askPeers(ctx context.Context, t *Target, peers []tunnel.Peer) (findings []guard.Finding, doubts []string, err error) {
	if len(peers) == 0 {
		return nil, nil, nil
	}
	inner, err := tunnel.Probe(ctx, t.Node.ListenICMP, peers, tunnel.ProbeOptions{Wait: innerWait, RetryAfter: innerWait / 2, Within: innerWithin})
	if err != nil {
		return nil, nil, fmt.Errorf("ask the peers of tunnels: %w", err)
	}
	e := evidence{outer: outerAnswers(ctx, t, inner), flows: flowsOf(t, inner)}
	for _, a := range inner {
		finding, doubt := e.judge(a)
		if finding != nil {
			findings = append(findings, *finding)
		}
		if doubt != "" {
			doubts = append(doubts, doubt)
		}
	}
	return findings, doubts, nil
}

// outerAnswers asks those that were silent within the tunnel at their own address,
// as many as the packets that are left of the second are enough for.
func outerAnswers(ctx context.Context, t *Target, inner []tunnel.Answer) map[tunnelEnd]tunnel.Answer {
	var nodes []tunnel.Peer
	spent := tunnel.Spent{At: time.Now()}
	for _, a := range inner {
		spent.Packets += a.Sent
		if a.State == tunnel.Silent && a.Peer.Outer.IsValid() {
			nodes = append(nodes, tunnel.Peer{Probed: a.Peer.Outer})
		}
	}
	nodes = nodes[:min(len(nodes), max(0, tunnel.MaxPerSecond-spent.Packets)/2)]
	answers := make(map[tunnelEnd]tunnel.Answer, len(nodes))
	if len(nodes) == 0 {
		return answers
	}
	// An error leaves the nodes unasked: nothing is known of them.
	outer, _ := tunnel.Probe(ctx, t.Node.ListenICMP, nodes, tunnel.ProbeOptions{Wait: outerWait, RetryAfter: outerWait / 2, Within: outerWithin, Spent: spent})
	for _, a := range outer {
		answers[tunnelEnd{outer: a.Peer.Probed}] = a
	}
	return answers
}
