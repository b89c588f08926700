// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/checktest"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// manyPeers gives the near node n peers behind its vxlan, as flannel does: a route, a
// neighbor and a forwarding entry for each. The far node is all of them; it accepts frames
// to any MAC.
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
	b := &bench{asked: map[netip.Addr]int{}}
	b.Keeper = tunnel.Keeper{
		Store: tunnel.PeerStoreIn(t.TempDir()), Kinds: []string{"vxlan"}, Interval: time.Hour, Wait: time.Second, Max: 1000,
		Dump: func() (netstate.TunnelDump, error) {
			b.dumps.Add(1)
			return view.TunnelDump()
		},
	}
	b.Open = b.counted(view)
	return b
}

// later moves all that is stored into the past.
func (b *bench) later(t *testing.T, d time.Duration) {
	t.Helper()
	known, err := b.Store.Load(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for addr, r := range known.Peers {
		r.LastProbe = r.LastProbe.Add(-d)
		if !r.LastAnswer.IsZero() {
			r.LastAnswer = r.LastAnswer.Add(-d)
		}
		known.Peers[addr] = r
	}
	known.Budget.At = known.Budget.At.Add(-d)
	if err := b.Store.Save(known); err != nil {
		t.Fatal(err)
	}
	quiet, err := filepath.Glob(filepath.Join(string(b.Store), "quiet-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range quiet {
		info, err := os.Stat(file)
		if err == nil {
			err = os.Chtimes(file, time.Time{}, info.ModTime().Add(-d))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// pass makes a pass. No peer gets more than a request and one retry, and none gets any
// that has answered, or was probed within the last half minute. That holds on the slowest
// machine too, which needs several passes to probe all.
func (b *bench) pass(t *testing.T) tunnel.Result {
	t.Helper()
	known, err := b.Store.Load(time.Now())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	w, _, err := b.cost(t)
	if err != nil {
		t.Fatal(err)
	}
	for addr, packets := range b.asked {
		if packets > 2 {
			t.Errorf("%s gets %d packets in one pass", addr, packets)
		}
		r, ok := known.Peers[addr]
		if ok && r.Misses == 0 {
			t.Errorf("%s is probed again, and has answered", addr)
		} else if ago := time.Since(r.LastProbe); ok && ago < 30*time.Second {
			t.Errorf("%s is probed again after %v", addr, ago)
		}
	}
	return w
}

// ADDs warm a thousand peers with a packet each; then there is nothing to do.
func TestPassThousandOnKernel(t *testing.T) {
	b := warmer(t, manyPeers(t, 1000))
	b.Wait = 10 * time.Second
	// The first pass probes a thousand, and the second the one that was too many. What a
	// busy machine drops takes further ones.
	for w := b.pass(t); w.Answered < 1001; w = b.pass(t) {
		if w.Peers != 1001 {
			t.Fatalf("%+v, want 1,001 peers", w)
		}
		b.later(t, tunnel.RescanInterval)
	}
	if b.pass(t); len(b.asked) > 0 {
		t.Errorf("then %d peers are probed", len(b.asked))
	}
}

// A thousand peers that all stay silent get two requests at most, in as many passes as the
// machine needs. The next pass sends nothing.
func TestPassThousandSilentOnKernel(t *testing.T) {
	view := manyPeers(t, 1000)
	checktest.Shell(t, "ip -n far link set flannel.1 down")
	b := warmer(t, view) // a pass has a second
	for ever := map[netip.Addr]bool{}; len(ever) < 1001; {
		if w := b.pass(t); w.Answered > 0 {
			t.Fatalf("%d peers have answered", w.Answered)
		} else if w.Suppressed { // the budget of this second is used up
			b.later(t, time.Second)
		}
		for addr := range b.asked {
			ever[addr] = true
		}
	}
	b.pass(t)
}

// What a pass costs with a thousand peers: at first, with a dump, and from then on.
func BenchmarkPassThousand(b *testing.B) {
	for name, silent := range map[string]bool{"answering": false, "silent for 200ms": true} {
		b.Run(name, func(b *testing.B) {
			view := manyPeers(b, 1000)
			if silent {
				checktest.Shell(b, "ip -n far link set flannel.1 down")
			}
			for b.Loop() {
				w := warmer(b, view)
				w.Wait = 200 * time.Millisecond
				if _, err := w.Pass(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("quiet", func(b *testing.B) {
		w := newSuppressed(b)
		for b.Loop() {
			if got, err := w.Pass(b.Context()); err != nil || !got.Suppressed {
				b.Fatal(got, err)
			}
		}
	})
}

// newSuppressed returns a Keeper whose passes are suppressed for half a minute.
func newSuppressed(b *testing.B) *tunnel.Keeper {
	w := &tunnel.Keeper{
		Store: tunnel.PeerStoreIn(b.TempDir()), Kinds: []string{"vxlan"}, Interval: time.Minute, Max: 1000,
		Dump: func() (netstate.TunnelDump, error) { return netstate.TunnelDump{}, nil },
	}
	if _, err := w.Pass(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w
}
