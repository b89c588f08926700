// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A bench is a Keeper for passes on a fake, with counters.
type bench struct {
	tunnel.Keeper
	dumps, packets atomic.Int32
	asked          map[netip.Addr]int // packets to each in the last pass
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{asked: map[netip.Addr]int{}}
	b.Keeper = tunnel.Keeper{
		Store:    tunnel.PeerStoreIn(t.TempDir()),
		Kinds:    []string{"ipip"},
		Interval: 5 * time.Minute,
		Wait:     time.Minute, // for longer than any answer takes
	}
	b.onNode(t, text)
	return b
}

// onNode makes the text the node.
func (b *bench) onNode(t *testing.T, text string) {
	t.Helper()
	fake := network(t, text)
	b.Dump = func() (netstate.TunnelDump, error) {
		b.dumps.Add(1)
		return fake.TunnelDump()
	}
	b.Open = b.counted(fake)
}

// counted opens sockets of a view, and counts the requests.
func (b *bench) counted(view netstate.View) tunnel.Opener {
	return func(six bool) (netstate.ICMPConn, error) {
		conn, err := view.ListenICMP(six)
		return hooked{conn, func(to netip.Addr) {
			b.packets.Add(1)
			b.asked[to]++
		}}, err
	}
}

// cost makes a pass, and returns how many dumps and packets it took.
func (b *bench) cost(t *testing.T) (tunnel.Result, [2]int32, error) {
	t.Helper()
	b.dumps.Store(0)
	b.packets.Store(0)
	b.asked = map[netip.Addr]int{}
	w, err := b.Pass(t.Context())
	return w, [2]int32{b.dumps.Load(), b.packets.Load()}, err
}

// fakeTime runs a test in a bubble of testing/synctest: its clock moves on only when
// all of its goroutines wait, so that no result depends on the speed of the machine.
func fakeTime(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		synctest.Test(t, test)
	}
}

// overlay is a node with peers behind an ipip device, as flannel numbers them.
func overlay(answering, silent int) string {
	var b strings.Builder
	b.WriteString("link flannel.ipip index 9 kind ipip up local 192.0.2.1\naddr 10.0.0.0/32 dev flannel.ipip\n")
	for i := range answering + silent {
		block := fmt.Sprintf("10.%d.%d.0", 1+i/250, i%250)
		fmt.Fprintf(&b, "route %s/24 via 198.18.%d.%d dev flannel.ipip onlink\n", block, i/250, i%250)
		if i < answering {
			fmt.Fprintf(&b, "answers %s\n", block)
		}
	}
	return b.String()
}

func TestPassSteadyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(3, 0))
		if w, cost, err := b.cost(t); err != nil || w.Answered != 3 || cost != [2]int32{1, 3} {
			t.Fatalf("at first: %+v, error %v, cost %v; want one dump and three packets", w, err, cost)
		}
		if w, cost, err := b.cost(t); err != nil || !w.Suppressed || cost != [2]int32{} {
			t.Errorf("right after: %+v, error %v, cost %v; want nothing", w, err, cost)
		}
		time.Sleep(tunnel.RescanInterval)
		if w, cost, err := b.cost(t); err != nil || w.Answered != 3 || cost != [2]int32{1, 0} {
			t.Errorf("half a minute later: %+v, error %v, cost %v; want a dump", w, err, cost)
		}
		time.Sleep(5 * time.Minute)
		if w, cost, err := b.cost(t); err != nil || w.Answered != 3 || cost != [2]int32{1, 3} {
			t.Errorf("after the interval: %+v, error %v, cost %v; want a dump and three packets", w, err, cost)
		}
	})
}

func TestPassWithoutTunnels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "link eth0 index 2 up")
		for i, want := range [][2]int32{{1, 0}, {0, 0}} {
			if _, cost, err := b.cost(t); err != nil || cost != want {
				t.Errorf("look %d: error %v, cost %v, want %v", i+1, err, cost, want)
			}
		}
	})
}

// A new peer is probed, and those that answered are not.
func TestPassNewPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(3, 0))
		b.cost(t)
		b.onNode(t, overlay(4, 0))
		time.Sleep(tunnel.RescanInterval)
		if w, cost, err := b.cost(t); err != nil || w.Answered != 4 || cost != [2]int32{1, 1} {
			t.Errorf("%+v, error %v, cost %v; want one packet", w, err, cost)
		}
	})
}

// A peer that stays silent is probed again after growing pauses.
func TestPassSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 1))
		b.Wait = 500 * time.Millisecond
		w, cost, err := b.cost(t)
		if err != nil || w.Answered != 1 || len(w.Cold) != 1 || w.Cold[0].State != tunnel.Silent {
			t.Fatalf("%+v, error %v", w, err)
		}
		if cost[1] < 3 {
			t.Errorf("%d packets; want one for each, and a retry", cost[1])
		}
		asked := 0
		for range 20 { // ten minutes
			time.Sleep(30 * time.Second)
			if _, cost, err := b.cost(t); err != nil || cost[1] > 2 {
				t.Fatalf("error %v, cost %v", err, cost)
			} else if cost[1] > 0 {
				asked++
			}
		}
		// After 30, 90, 210 and 450 seconds; and the other after 300 and 600.
		if asked < 5 || asked > 7 {
			t.Errorf("in ten minutes peers were probed %d times", asked)
		}
	})
}

func TestPassMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(5, 0))
		b.Max = 2
		for i, want := range []int{2, 4, 5} {
			if w, _, err := b.cost(t); err != nil || w.Answered != want {
				t.Errorf("look %d: %d confirmed, error %v, want %d", i+1, w.Answered, err, want)
			}
		}
		if w, cost, _ := b.cost(t); !w.Suppressed || cost != [2]int32{} {
			t.Errorf("then: %+v, cost %v", w, cost)
		}
	})
}

// A pass that does not get the lock in time does nothing.
func TestPassBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 0))
		b.Wait = 50 * time.Millisecond
		unlock, err := b.Store.TryLock()
		if err != nil {
			t.Fatal(err)
		}
		if _, cost, err := b.cost(t); !errors.Is(err, tunnel.ErrBusy) || cost != [2]int32{} {
			t.Errorf("error %v, cost %v", err, cost)
		}
		unlock()
		if w, _, err := b.cost(t); err != nil || w.Answered != 1 {
			t.Errorf("once it is free: %+v, error %v", w, err)
		}
	})
}

// If the state cannot be stored, a few peers are probed, and no answer is awaited.
func TestPassUnrecorded(t *testing.T) {
	for name, memory := range map[string]func(t *testing.T) tunnel.PeerStore{
		"no folder": func(*testing.T) tunnel.PeerStore { return "" },
		"a file in its place": func(t *testing.T) tunnel.PeerStore {
			path := filepath.Join(t.TempDir(), "tunnels")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return tunnel.PeerStore(path)
		},
		"nothing can be replaced": func(t *testing.T) tunnel.PeerStore {
			m := tunnel.PeerStoreIn(t.TempDir())
			if err := os.MkdirAll(filepath.Join(string(m), "peers.json.new"), 0o700); err != nil {
				t.Fatal(err)
			}
			return m
		},
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			b := newBench(t, overlay(100, 0))
			b.Store, b.Wait = memory(t), time.Hour
			w, cost, err := b.cost(t)
			if err == nil || !strings.Contains(err.Error(), "32 of 100 peers, picked at random") || cost[1] != 32 {
				t.Errorf("%+v, error %v, cost %v; want 32 packets", w, err, cost)
			}
			b.onNode(t, "link eth0 index 2 up")
			if _, _, err := b.cost(t); err != nil {
				t.Errorf("without tunnels there is nothing to record: %v", err)
			}
		}))
	}
}

// An error is returned once, and not at each ADD.
func TestPassErrors(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no dump":   {"fail TunnelDump = no buffer space", "no buffer space"},
		"no socket": {overlay(2, 0) + "fail ListenICMP = operation not permitted", "operation not permitted"},
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			b := newBench(t, c.text)
			if _, _, err := b.cost(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if w, cost, err := b.cost(t); err != nil || !w.Suppressed || cost != [2]int32{} {
				t.Errorf("right after: %+v, error %v, cost %v", w, err, cost)
			}
		}))
	}
}

// A pass whose requirement is not met is not suppressed.
func TestPassRequire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 1))
		b.Wait = 500 * time.Millisecond
		b.Require = tunnel.RequireAll
		b.cost(t)
		if w, cost, err := b.cost(t); err != nil || w.Suppressed || cost != [2]int32{1, 0} {
			t.Errorf("%+v, error %v, cost %v; want another dump, and no packet", w, err, cost)
		}
		b.Extra = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
		if w, _, err := b.cost(t); err != nil || len(w.Cold) != 2 || w.Peers != 3 {
			t.Errorf("with another address: %+v, error %v", w, err)
		}
	})
}

// A peer that was silent before is probed along with others, but once, and only their
// answers are awaited.
func TestPassSilentAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(2, 1))
		b.Wait = 300 * time.Millisecond
		b.cost(t)
		time.Sleep(5 * time.Minute)
		if w, cost, err := b.cost(t); err != nil || w.Answered != 2 || cost != [2]int32{1, 3} {
			t.Errorf("%+v, error %v, cost %v; want three packets, and none twice", w, err, cost)
		}
	})
}

// A silent peer that answers again is warm.
func TestPassSilentReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 20))
		b.Wait = 300 * time.Millisecond
		b.cost(t)
		b.onNode(t, overlay(20, 0))
		time.Sleep(5 * time.Minute)
		if w, _, err := b.cost(t); err != nil || w.Answered != 20 {
			t.Errorf("%+v, error %v", w, err)
		}
	})
}

// Without a wait each peer gets one request, and none counts as silent.
func TestPassWithoutWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 2))
		b.Wait = 0
		if w, cost, err := b.cost(t); err != nil || w.Probed != 2 || len(w.Cold) != 0 || cost != [2]int32{1, 2} {
			t.Errorf("%+v, error %v, cost %v; want two packets", w, err, cost)
		}
		known, err := b.Store.Load(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for addr, r := range known.Peers {
			if r.State != tunnel.Unprobed || !strings.Contains(r.Reason, "not awaited") || r.Misses != 0 {
				t.Errorf("%s: %+v", addr, r)
			}
		}
		for _, want := range [][2]int32{{1, 0}, {1, 2}} {
			time.Sleep(3 * time.Minute)
			if _, cost, err := b.cost(t); err != nil || cost != want {
				t.Errorf("error %v, cost %v, want %v", err, cost, want)
			}
		}
	})
}

// With a requirement a silent peer is probed every few seconds: it may be back.
func TestPassRequireRetriesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 1))
		b.Wait = 100 * time.Millisecond
		b.Require = tunnel.RequireAll
		b.cost(t)
		for range 10 {
			time.Sleep(5 * time.Second)
			if _, cost, err := b.cost(t); err != nil || cost != [2]int32{1, 1} {
				t.Fatalf("five seconds later: error %v, cost %v; want a packet", err, cost)
			}
		}
	})
}

// The node's own addresses always answer. They are no peers.
func TestPassOwnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 1)+"answers 10.0.0.0\nanswers 192.0.2.1\nanswers 192.0.2.2\n")
		b.Wait = 100 * time.Millisecond
		b.Local = func(addr netip.Addr) bool { return addr == netip.MustParseAddr("192.0.2.1") }
		b.Extra = []netip.Addr{netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.1.0.0")}
		if w, _, err := b.cost(t); err != nil || w.Peers != 1 || w.Answered != 0 {
			t.Errorf("%+v, error %v; want a silent one", w, err)
		}
		b.Extra = append(b.Extra, netip.MustParseAddr("192.0.2.2"))
		if w, _, err := b.cost(t); err != nil || w.Peers != 2 || w.Answered != 1 {
			t.Errorf("with another: %+v, error %v", w, err)
		}
	})
}

// Without kinds of tunnels no dump is needed.
func TestPassAddressesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 0)+"answers 192.0.2.2\n")
		b.Kinds, b.Extra = nil, []netip.Addr{netip.MustParseAddr("192.0.2.2")}
		if w, cost, err := b.cost(t); err != nil || w.Peers != 1 || w.Answered != 1 || cost != [2]int32{0, 1} {
			t.Errorf("%+v, error %v, cost %v; want a packet and no dump", w, err, cost)
		}
	})
}

// Nodes that cannot probe all peers at once do not all start with the same ones.
func TestPassBeginsAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[netip.Addr]bool{}
		for range 5 {
			b := newBench(t, overlay(1000, 0))
			b.Max = 10
			b.cost(t)
			known, _ := b.Store.Load(time.Now())
			for addr := range known.Peers {
				seen[addr] = true
			}
		}
		if len(seen) <= 10 {
			t.Errorf("five nodes probe the same %d of 1,000 peers", len(seen))
		}
	})
}

// Of several passes at once one probes, and the others wait until it is done.
func TestPassTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newBench(t, overlay(1, 0)), newBench(t, overlay(1, 0))
		b.Store = a.Store
		type outcome struct {
			tunnel.Result
			error
		}
		ended := make(chan outcome, 1)
		open := a.Open
		a.Open = func(six bool) (netstate.ICMPConn, error) {
			go func() {
				w, err := b.Pass(t.Context())
				ended <- outcome{w, err}
			}()
			synctest.Wait()
			if len(ended) > 0 {
				t.Error("the other does not wait")
			}
			return open(six)
		}
		if w, _, err := a.cost(t); err != nil || w.Answered != 1 {
			t.Errorf("%+v, error %v", w, err)
		}
		if got := <-ended; got.error != nil || !got.Suppressed || b.dumps.Load() != 0 {
			t.Errorf("the other: %+v, %d dumps; want it suppressed", got, b.dumps.Load())
		}
	})
}

// taken has other nodes behind the blocks of an overlay.
func taken(text string) string { return strings.ReplaceAll(text, "via 198.18.", "via 198.19.") }

// The state of a node does not apply to another one that takes over its block.
func TestPassTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(2, 0))
		b.cost(t)
		b.onNode(t, taken(overlay(2, 0)))
		for i, want := range [][2]int32{{1, 2}, {1, 0}} {
			time.Sleep(tunnel.RescanInterval)
			if w, cost, err := b.cost(t); err != nil || w.Answered != 2 || cost != want {
				t.Errorf("look %d: %+v, error %v, cost %v, want %v", i+1, w, err, cost, want)
			}
		}
	})
}

// A pass that waited for another one goes on only if it requires answers.
func TestPassAfterAnother(t *testing.T) {
	for require, want := range map[tunnel.Require]int32{tunnel.RequireNone: 0, tunnel.RequireAll: 1} {
		t.Run(string(require), fakeTime(func(t *testing.T) {
			b := newBench(t, overlay(1, 0))
			b.Require = require
			unlock, err := b.Store.TryLock()
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error)
			go func() {
				_, err := b.Pass(t.Context())
				ended <- err
			}()
			synctest.Wait()
			unlock() // without having probed the peer
			if err := <-ended; errors.Is(err, tunnel.ErrBusy) != (want == 0) || b.packets.Load() != want {
				t.Errorf("error %v, %d packets, want %d", err, b.packets.Load(), want)
			}
		}))
	}
}
