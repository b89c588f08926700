// SPDX-License-Identifier: Apache-2.0

package host

import (
	"net/netip"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// The peers of the node's tunnels, as the check tunnel-peers last found them. The zero
// value has none.
type peers struct {
	mu   sync.Mutex
	last map[netip.Addr]probed // by probed address
}

// A probed peer is one of which the last probe is known. The zero value was never probed.
type probed struct {
	state tunnel.State
	at    time.Time
}

// set takes the peers that there are now, and what probes of some of them showed: of many
// peers each look probes others.
func (p *peers) set(all []tunnel.Peer, results []tunnel.ProbeResult, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := make(map[netip.Addr]probed, len(all))
	for _, peer := range all {
		if peer.Probed.IsValid() {
			last[peer.Probed] = p.last[peer.Probed]
		}
	}
	for _, r := range results {
		if _, ok := last[r.Peer.Probed]; ok && r.State != tunnel.Unprobed {
			last[r.Peer.Probed] = probed{r.State, now}
		}
	}
	p.last = last
}

// count counts the peers by the state of the last probe of each, be it one of the check or
// one that kept the tunnel warm.
func (p *peers) count(warmed tunnel.PeerStates) map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := map[string]int{}
	for addr, last := range p.last {
		if w, ok := warmed.Peers[addr]; ok && w.LastProbe.After(last.at) {
			last.state = w.State
		}
		counts[last.state.String()]++
	}
	for addr, w := range warmed.Peers {
		if _, ok := p.last[addr]; !ok {
			counts[w.State.String()]++
		}
	}
	return counts
}

// countPeers has the check tunnel-peers say what its probes showed.
func (h *Host) countPeers(t *checks.Target) {
	t.PeersProbed = func(all []tunnel.Peer, results []tunnel.ProbeResult) { h.peers.set(all, results, time.Now()) }
}

// TunnelPeers implements agent.Node.
func (h *Host) TunnelPeers() map[string]int {
	var warmed tunnel.PeerStates
	if dir := h.Entry().StateDir; dir != "" {
		warmed, _ = tunnel.PeerStoreIn(dir).Load(time.Now()) // what cannot be read counts as missing
	}
	counts := h.peers.count(warmed)
	if len(counts) == 0 {
		return nil
	}
	return counts
}
