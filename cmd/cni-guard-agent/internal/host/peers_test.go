// SPDX-License-Identifier: Apache-2.0

package host

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// Each peer counts once, as the last probe of it was: one of the check, or one that kept
// the tunnel warm.
func TestPeers(t *testing.T) {
	now := time.Now()
	peer := func(addr string) tunnel.Peer { return tunnel.Peer{Probed: netip.MustParseAddr(addr)} }
	a, b, c := peer("10.244.1.0"), peer("10.244.2.0"), peer("10.244.3.0")
	result := func(p tunnel.Peer, s tunnel.State) tunnel.ProbeResult { return tunnel.ProbeResult{Peer: p, State: s} }
	warm := func(p tunnel.Peer, s tunnel.State, at time.Time) tunnel.PeerStates {
		return tunnel.PeerStates{Peers: map[netip.Addr]tunnel.PeerState{p.Probed: {State: s, LastProbe: at}}}
	}
	var p peers
	count := func(what string, warmed tunnel.PeerStates, want map[string]int) {
		t.Helper()
		if got := p.count(warmed); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	count("no look yet", tunnel.PeerStates{}, map[string]int{})
	count("no look yet, but a warm peer", warm(a, tunnel.Answered, now), map[string]int{"answered": 1})
	all := []tunnel.Peer{a, b, c}
	p.set(all, []tunnel.ProbeResult{result(a, tunnel.Answered), result(b, tunnel.Silent), result(c, tunnel.Unprobed)}, now)
	count("a look", tunnel.PeerStates{}, map[string]int{"answered": 1, "silent": 1, "unprobed": 1})
	count("the peer warmed later", warm(b, tunnel.Retried, now.Add(time.Second)), map[string]int{"answered": 1, "retried": 1, "unprobed": 1})
	count("the peer warmed earlier", warm(b, tunnel.Retried, now.Add(-time.Second)), map[string]int{"answered": 1, "silent": 1, "unprobed": 1})
	p.set(all, []tunnel.ProbeResult{result(c, tunnel.Unreachable)}, now)
	count("a look at another one", tunnel.PeerStates{}, map[string]int{"answered": 1, "silent": 1, "unreachable": 1})
	p.set(all[:1], []tunnel.ProbeResult{result(a, tunnel.Answered)}, now)
	count("two have left", tunnel.PeerStates{}, map[string]int{"answered": 1})
	p.set(nil, nil, now)
	count("all have left", tunnel.PeerStates{}, map[string]int{})
}
