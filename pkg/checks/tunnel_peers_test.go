// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// crowdOf returns a node with many peers behind blocked tunnels, whose nodes answer or do
// not.
func crowdOf(t *testing.T, peers int, answer bool) *netstate.Fake {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "link flannel.1 index 9 kind vxlan up local 192.0.2.1 vni 1 port 8472")
	for i := 1; i <= peers; i++ {
		fmt.Fprintf(&b, "route 10.%[1]d.%[2]d.0/24 via 10.%[1]d.%[2]d.0 dev flannel.1 onlink\n", i>>8, i&255)
		fmt.Fprintf(&b, "neigh 10.%[1]d.%[2]d.0 dev flannel.1 mac 02:00:00:00:%02[1]x:%02[2]x\n", i>>8, i&255)
		fmt.Fprintf(&b, "fdb 02:00:00:00:%02[1]x:%02[2]x dev flannel.1 dst 172.16.%[1]d.%[2]d\n", i>>8, i&255)
		if answer {
			fmt.Fprintf(&b, "answers 172.16.%d.%d\n", i>>8, i&255)
		}
	}
	fake, err := netstate.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	return fake
}

// Of many findings of the same kind a few are listed, and the others counted.
func TestTunnelPeersListsAFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := tunnelPeers(crowdOf(t, 100, true))
		if len(o.Findings) != 11 || !strings.Contains(o.Findings[10].Problem, "90 more peers") {
			t.Errorf("100 blocked tunnels are %d findings, the last %v, error %v", len(o.Findings), o.Findings, o.Err)
		}
		o = tunnelPeers(crowdOf(t, 100, false))
		if o.Err == nil || !strings.Contains(o.Err.Error(), "100 tunnels work") || !strings.Contains(o.Err.Error(), "and 97 more") {
			t.Errorf("100 silent nodes give %v, error %v", o.Findings, o.Err)
		}
	})
}

// One run, which takes less than two seconds, sends no more than may leave within one, and
// names peers that remain unknown.
func TestTunnelPeersKeepsToTheBudget(t *testing.T) {
	for _, answer := range []bool{true, false} {
		t.Run(fmt.Sprintf("nodes answer=%t", answer), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				counted := &countedView{View: crowdOf(t, 1000, answer)}
				o := tunnelPeers(counted)
				if n := counted.sent.Load(); n > tunnel.MaxPerSecond || n < tunnel.MaxPerSecond/2 {
					t.Errorf("a run with 1,000 silent peers took %d packets", n)
				}
				last := fmt.Sprint(o.Err)
				if answer && len(o.Findings) > 0 {
					last = o.Findings[len(o.Findings)-1].Problem
				}
				if answer && len(o.Findings) != 12 || !answer && o.Err == nil || answer && !strings.Contains(last, "the node itself could not be probed") {
					t.Errorf("it has %d findings, the last %q, error %v", len(o.Findings), last, o.Err)
				}
			})
		})
	}
}

// Who counts the peers is given all, and the results of those that were probed.
func TestTunnelPeersTellsWhatItProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{0, 3, 1000} {
			var peers []tunnel.Peer
			var results []tunnel.ProbeResult
			guard.Run(t.Context(), []*checks.Check{checks.Find("tunnel-peers")}, guard.Node, guard.Settings{}, &checks.Target{
				Node: crowdOf(t, n, false), PeersProbed: func(p []tunnel.Peer, r []tunnel.ProbeResult) { peers, results = p, r },
			})
			if len(peers) != n || len(results) != min(n, 712) {
				t.Errorf("of %d peers, %d were told and %d of them probed", n, len(peers), len(results))
			}
			for _, r := range results {
				if r.State != tunnel.Silent {
					t.Errorf("%s is %s", r.Peer.Probed, r.State)
					break
				}
			}
		}
	})
}

// A countedView counts the requests.
type countedView struct {
	netstate.View
	sent atomic.Int64
}

func (v *countedView) ListenICMP(six bool) (netstate.ICMPConn, error) {
	conn, err := v.View.ListenICMP(six)
	return countedConn{conn, &v.sent}, err
}

type countedConn struct {
	netstate.ICMPConn
	sent *atomic.Int64
}

func (c countedConn) Send(message []byte, to netip.Addr) error {
	c.sent.Add(1)
	return c.ICMPConn.Send(message, to)
}
