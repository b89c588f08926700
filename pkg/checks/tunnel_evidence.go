// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"net/netip"

	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A tunnelEnd is a node, as a protocol reaches it.
type tunnelEnd struct {
	outer    netip.Addr
	protocol uint8 // 0 where it does not matter
}

// evidence is what is known of a peer beside that it was silent.
type evidence struct {
	outer map[tunnelEnd]tunnel.Answer
	flows map[tunnelEnd]flowState
}

// A flowState is what connection tracking says of encapsulated packets. The zero
// flowState says nothing: connections may not be tracked here.
type flowState struct{ sent, came bool }

// flowsOf asks connection tracking for the protocols of the peers. Where it cannot
// be asked nothing is known.
func flowsOf(t *Target, answers []tunnel.Answer) map[tunnelEnd]flowState {
	flows := map[tunnelEnd]flowState{}
	asked := map[uint8]bool{0: true}
	for _, a := range answers {
		protocol := protocolOf(a.Peer)
		if asked[protocol] {
			continue
		}
		asked[protocol] = true
		found, err := t.Node.Flows(protocol)
		if err != nil {
			continue
		}
		for _, f := range found {
			enterFlow(flows, f)
		}
	}
	return flows
}

// enterFlow enters a flow for the node that it is to and for the one that it is
// from; one of them is this node, which nobody asks for.
func enterFlow(flows map[tunnelEnd]flowState, f netstate.Flow) {
	to, from := tunnelEnd{f.Dst, f.Protocol}, tunnelEnd{f.Src, f.Protocol}
	flows[to] = flowState{sent: true, came: flows[to].came || f.Replied}
	flows[from] = flowState{sent: flows[from].sent, came: true}
}

// protocolOf gives the IP protocol of the outer packets, where connection tracking
// keys it by addresses alone; 0 where it does not. UDP it keys by ports, of which
// a tunnel draws the source anew for each flow within it, and GRE by keys.
func protocolOf(p tunnel.Peer) uint8 {
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

// judge says what the answer of a peer amounts to: nothing, a finding, or a doubt.
func (e evidence) judge(a tunnel.Answer) (*guard.Finding, string) {
	switch a.State {
	case tunnel.Retried:
		return peerFinding(a.Peer, "answered the second of two pings only: the first packets get lost", true), ""
	case tunnel.Silent:
		return e.judgeSilence(a)
	case tunnel.Unreachable:
		if a.By == a.Peer.Outer && a.By.IsValid() || behind(a.Peer, a.By) {
			return nil, "" // what the tunnel brought there came back
		}
		return nil, doubt(a.Peer, said(a))
	}
	return nil, ""
}

// judgeSilence weighs what else is known of a peer that did not answer.
func (e evidence) judgeSilence(a tunnel.Answer) (*guard.Finding, string) {
	protocol := protocolOf(a.Peer)
	flow := e.flows[tunnelEnd{a.Peer.Outer, protocol}]
	node, asked := e.outer[tunnelEnd{outer: a.Peer.Outer}]
	switch {
	case protocol != 0 && flow.came: // its packets do get here; it is pings that do not
		return nil, ""
	case a.Peer.Outer.IsValid() && (!asked || node.State == tunnel.Unprobed):
		return nil, doubt(a.Peer, "is silent, and the node itself could not be asked")
	case !node.State.Confirms():
		return nil, doubt(a.Peer, "is silent, and so is the node itself, which may be switched off")
	case protocol != 0 && flow.sent:
		problem := fmt.Sprintf("answers pings, but no packet of IP protocol %d comes back from it (conntrack: UNREPLIED): its firewall has no inbound rule for IP protocol %d%s", protocol, protocol, alias(protocol))
		if a.Peer.Guessed {
			problem += ", or nothing has the address that was pinged, which is a guess"
		}
		return peerFinding(a.Peer, problem, a.Peer.Guessed), ""
	case a.Peer.Guessed:
		return nil, doubt(a.Peer, "answers pings, but not through the tunnel, where its address is a guess")
	}
	return peerFinding(a.Peer, "answers pings, but not through the tunnel: "+carrier(a.Peer)+" is blocked on the way, or pings are within the tunnel", false), ""
}

// behind says whether an address is one that only the tunnel leads to.
func behind(p tunnel.Peer, addr netip.Addr) bool {
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
