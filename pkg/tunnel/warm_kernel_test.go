// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// manyPeers gives near so many peers behind its vxlan, as flannel has them: a route,
// a neighbour and a forwarding entry for each. The far node is all of them; it takes
// frames to whatever MAC.
func manyPeers(t testing.TB, n int) *netstate.Live {
	t.Helper()
	view := near(t, `
ip -n far route add local 10.245.0.0/16 dev lo
ip -n far route add local 198.18.0.0/16 dev lo
ip -n near route add 198.18.0.0/16 dev wire via 192.0.2.2
ip netns exec far nft 'add table netdev t; add chain netdev t c { type filter hook ingress device "flannel.1" priority 0; }; add rule netdev t c meta pkttype set host'
`)
	var routes, neighbours, fdb strings.Builder
	for i := range n {
		peer := fmt.Sprintf("%d.%d", i/250, i%250)
		mac := fmt.Sprintf("0a:58:01:00:%02x:%02x", i/250, i%250)
		fmt.Fprintf(&routes, "route add 10.245.%s/32 via 10.245.%s dev flannel.1 onlink\n", peer, peer)
		fmt.Fprintf(&neighbours, "neigh add 10.245.%s lladdr %s dev flannel.1\n", peer, mac)
		fmt.Fprintf(&fdb, "fdb append %s dev flannel.1 dst 198.18.%s\n", mac, peer)
	}
	dir := t.TempDir()
	for name, text := range map[string]*strings.Builder{"routes": &routes, "neighbours": &neighbours, "fdb": &fdb} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	checktest.Shell(t, `
ip netns exec near sh -c 'echo 8192 >/proc/sys/net/ipv4/neigh/default/gc_thresh1; echo 8192 >/proc/sys/net/ipv4/neigh/default/gc_thresh3' 2>/dev/null || true
ip -n near -batch $DIR/neighbours
bridge -n near -batch $DIR/fdb
ip -n near -batch $DIR/routes
`, "DIR="+dir)
	return view
}

func warmer(t testing.TB, view *netstate.Live) *bench {
	t.Helper()
	b := new(bench)
	b.Warmer = tunnel.Warmer{
		Memory: tunnel.MemoryOf(t.TempDir()), Kinds: []string{"vxlan"}, Interval: 5 * time.Minute, Wait: time.Second, Max: 1000,
		Dump: func() (netstate.TunnelDump, error) {
			b.dumps.Add(1)
			return view.TunnelDump()
		},
		Open: func(six bool) (netstate.ICMPConn, error) {
			conn, err := view.ListenICMP(six)
			return counting{conn, &b.packets}, err
		},
	}
	return b
}

// One ADD warms a thousand peers with a packet each; the next has nothing to do.
func TestWarmThousandOnKernel(t *testing.T) {
	b := warmer(t, manyPeers(t, 1000))
	b.Wait = 10 * time.Second // for as long as it takes on an emulated machine
	// A packet each, and one more for each that a busy machine drops.
	w, cost, err := b.cost(t)
	if err != nil || w.Peers != 1001 || w.Confirmed != 1000 || cost[0] != 1 || cost[1] < 1000 || cost[1] > tunnel.MaxPerSecond {
		t.Errorf("%d of %d peers confirmed, error %v, cost %v; want 1,000 packets", w.Confirmed, w.Peers, err, cost)
	}
	if _, cost, err := b.cost(t); err != nil || cost[0] != 1 || cost[1] < 1 || cost[1] > 2 {
		t.Errorf("the one that was too many: error %v, cost %v", err, cost)
	}
	if w, cost, err := b.cost(t); err != nil || !w.Quiet || cost != [2]int32{} {
		t.Errorf("then: %+v, error %v, cost %v; want nothing", w, err, cost)
	}
}

// A thousand peers that all stay silent: the requests and the one retry keep to the
// pace, and the next ADD sends nothing.
func TestWarmThousandSilentOnKernel(t *testing.T) {
	view := manyPeers(t, 1000)
	checktest.Shell(t, "ip -n far link set flannel.1 down")
	b := warmer(t, view)
	b.Wait = 200 * time.Millisecond
	w, cost, err := b.cost(t)
	if err != nil || w.Confirmed != 0 || cost[1] == 0 || cost[1] > tunnel.MaxPerSecond {
		t.Errorf("%+v, error %v, cost %v", w.Confirmed, err, cost)
	}
	// On a slow machine a few were left for want of time.
	if _, cost, err := b.cost(t); err != nil || cost[1] > 100 {
		t.Errorf("right after: error %v, cost %v; want no second wave", err, cost)
	}
}

// What one ADD pays for a thousand peers: at first, with a dump, and from then on.
func BenchmarkWarmThousand(b *testing.B) {
	for name, silent := range map[string]bool{"answering": false, "silent for 200ms": true} {
		b.Run(name, func(b *testing.B) {
			view := manyPeers(b, 1000)
			if silent {
				checktest.Shell(b, "ip -n far link set flannel.1 down")
			}
			for b.Loop() {
				w := warmer(b, view)
				w.Wait = 200 * time.Millisecond
				if _, err := w.Warm(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("quiet", func(b *testing.B) {
		w := newQuiet(b)
		for b.Loop() {
			if got, err := w.Warm(b.Context()); err != nil || !got.Quiet {
				b.Fatal(got, err)
			}
		}
	})
}

// newQuiet is a warmer for whom all was seen to; it is so for half a minute.
func newQuiet(b *testing.B) *tunnel.Warmer {
	w := &tunnel.Warmer{
		Memory: tunnel.MemoryOf(b.TempDir()), Kinds: []string{"vxlan"}, Interval: time.Minute, Max: 1000,
		Dump: func() (netstate.TunnelDump, error) { return netstate.TunnelDump{}, nil },
	}
	if _, err := w.Warm(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w
}
