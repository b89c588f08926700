// SPDX-License-Identifier: Apache-2.0

package tunnel

// noTime is why a peer is Unprobed that nothing kept us from asking but the clock.
const noTime = "there was no time to ask it"

// unheeded is why a peer is Unprobed to which a request was sent.
const unheeded = "it was asked, and not waited for"

// astray is why an answer does not count that came in by another device than the
// tunnel's: that says nothing of the tunnel, and may come from a container of this node.
const astray = "what answered did not come through the tunnel"

// answers gives each peer the answer of its group.
func (p *prober) answers(peers []Peer) []Answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make([]Answer, len(peers))
	for i, peer := range peers {
		answers[i] = Answer{Peer: peer, Why: noTime}
		if !peer.Probed.IsValid() {
			answers[i].Why = "no address of it is known that answers a ping"
		}
		if at, ok := p.byProbe[peer.Probed]; ok {
			if g := p.groups[at]; g.state != Unprobed || g.why != "" {
				answers[i] = Answer{Peer: peer, State: g.state, RTT: g.rtt, By: g.by, Why: g.why, Sent: g.sent}
				if g.state == Silent && !p.heeds {
					answers[i].State, answers[i].Why = Unprobed, unheeded
				}
			}
		}
	}
	return answers
}
