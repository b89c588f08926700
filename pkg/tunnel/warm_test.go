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

// A bench is a warmer on a fake, with counters.
type bench struct {
	tunnel.Warmer
	dumps, packets atomic.Int32
	asked          map[netip.Addr]int // packets to each in the last look
}

func newBench(t *testing.T, text string) *bench {
	t.Helper()
	b := &bench{asked: map[netip.Addr]int{}}
	b.Warmer = tunnel.Warmer{
		Memory:   tunnel.MemoryOf(t.TempDir()),
		Kinds:    []string{"ipip"},
		Interval: 5 * time.Minute,
		Wait:     time.Minute, // nobody waits so long where all answer
	}
	b.onNode(t, text)
	return b
}

// onNode has the node be what the text says.
func (b *bench) onNode(t *testing.T, text string) {
	t.Helper()
	fake := network(t, text)
	b.Dump = func() (netstate.TunnelDump, error) {
		b.dumps.Add(1)
		return fake.TunnelDump()
	}
	b.Open = b.counted(fake)
}

// counted opens sockets of a view, and counts what is sent by them.
func (b *bench) counted(view netstate.View) tunnel.Opener {
	return func(six bool) (netstate.ICMPConn, error) {
		conn, err := view.ListenICMP(six)
		return hooked{conn, func(to netip.Addr) {
			b.packets.Add(1)
			b.asked[to]++
		}}, err
	}
}

// cost gives what a look took: dumps and packets.
func (b *bench) cost(t *testing.T) (tunnel.Warmth, [2]int32, error) {
	t.Helper()
	b.dumps.Store(0)
	b.packets.Store(0)
	b.asked = map[netip.Addr]int{}
	w, err := b.Warm(t.Context())
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

func TestWarmSteadyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(3, 0))
		if w, cost, err := b.cost(t); err != nil || w.Confirmed != 3 || cost != [2]int32{1, 3} {
			t.Fatalf("at first: %+v, error %v, cost %v; want one dump and three packets", w, err, cost)
		}
		if w, cost, err := b.cost(t); err != nil || !w.Quiet || cost != [2]int32{} {
			t.Errorf("right after: %+v, error %v, cost %v; want nothing", w, err, cost)
		}
		time.Sleep(tunnel.LookAgain)
		if w, cost, err := b.cost(t); err != nil || w.Confirmed != 3 || cost != [2]int32{1, 0} {
			t.Errorf("half a minute later: %+v, error %v, cost %v; want a dump", w, err, cost)
		}
		time.Sleep(5 * time.Minute)
		if w, cost, err := b.cost(t); err != nil || w.Confirmed != 3 || cost != [2]int32{1, 3} {
			t.Errorf("after the interval: %+v, error %v, cost %v; want a dump and three packets", w, err, cost)
		}
	})
}

func TestWarmWithoutTunnels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, "link eth0 index 2 up")
		for i, want := range [][2]int32{{1, 0}, {0, 0}} {
			if _, cost, err := b.cost(t); err != nil || cost != want {
				t.Errorf("look %d: error %v, cost %v, want %v", i+1, err, cost, want)
			}
		}
	})
}

// A new peer is asked, and those that were confirmed are left alone.
func TestWarmNewPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(3, 0))
		b.cost(t)
		b.onNode(t, overlay(4, 0))
		time.Sleep(tunnel.LookAgain)
		if w, cost, err := b.cost(t); err != nil || w.Confirmed != 4 || cost != [2]int32{1, 1} {
			t.Errorf("%+v, error %v, cost %v; want one packet", w, err, cost)
		}
	})
}

// A peer that stays silent is asked again at growing intervals.
func TestWarmSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 1))
		b.Wait = 500 * time.Millisecond
		w, cost, err := b.cost(t)
		if err != nil || w.Confirmed != 1 || len(w.Cold) != 1 || w.Cold[0].State != tunnel.Silent {
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
			t.Errorf("in ten minutes peers were asked at %d moments", asked)
		}
	})
}

func TestWarmMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(5, 0))
		b.Max = 2
		for i, want := range []int{2, 4, 5} {
			if w, _, err := b.cost(t); err != nil || w.Confirmed != want {
				t.Errorf("look %d: %d confirmed, error %v, want %d", i+1, w.Confirmed, err, want)
			}
		}
		if w, cost, _ := b.cost(t); !w.Quiet || cost != [2]int32{} {
			t.Errorf("then: %+v, cost %v", w, cost)
		}
	})
}

// Who does not get the lock in the time that there is does nothing.
func TestWarmBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 0))
		b.Wait = 50 * time.Millisecond
		unlock, err := b.Memory.Lock()
		if err != nil {
			t.Fatal(err)
		}
		if _, cost, err := b.cost(t); !errors.Is(err, tunnel.ErrBusy) || cost != [2]int32{} {
			t.Errorf("error %v, cost %v", err, cost)
		}
		unlock()
		if w, _, err := b.cost(t); err != nil || w.Confirmed != 1 {
			t.Errorf("once it is free: %+v, error %v", w, err)
		}
	})
}

// Without a place to write, a few are asked, and nobody is waited for.
func TestWarmBlindly(t *testing.T) {
	for name, memory := range map[string]func(t *testing.T) tunnel.Memory{
		"no folder": func(*testing.T) tunnel.Memory { return "" },
		"a file in its place": func(t *testing.T) tunnel.Memory {
			path := filepath.Join(t.TempDir(), "tunnels")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return tunnel.Memory(path)
		},
		"nothing can be replaced": func(t *testing.T) tunnel.Memory {
			m := tunnel.MemoryOf(t.TempDir())
			if err := os.MkdirAll(filepath.Join(string(m), "peers.json.new"), 0o700); err != nil {
				t.Fatal(err)
			}
			return m
		},
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			b := newBench(t, overlay(100, 0))
			b.Memory, b.Wait = memory(t), time.Hour
			w, cost, err := b.cost(t)
			if err == nil || !strings.Contains(err.Error(), "32 of 100 peers, picked at random") || cost[1] != 32 {
				t.Errorf("%+v, error %v, cost %v; want 32 packets", w, err, cost)
			}
			b.onNode(t, "link eth0 index 2 up")
			if _, _, err := b.cost(t); err != nil {
				t.Errorf("without tunnels there is nothing to remember, and yet: %v", err)
			}
		}))
	}
}

// What cannot be done is said, and not tried again at each ADD.
func TestWarmTrouble(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no dump":   {"fail TunnelDump = no buffer space", "no buffer space"},
		"no socket": {overlay(2, 0) + "fail ListenICMP = operation not permitted", "operation not permitted"},
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			b := newBench(t, c.text)
			if _, _, err := b.cost(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if w, cost, err := b.cost(t); err != nil || !w.Quiet || cost != [2]int32{} {
				t.Errorf("right after: %+v, error %v, cost %v", w, err, cost)
			}
		}))
	}
}

// Who demands something is never told that all is quiet while it is not met.
func TestWarmDemands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 1))
		b.Wait = 500 * time.Millisecond
		b.Demands, b.Satisfied = "all", func(w tunnel.Warmth) bool { return w.Confirmed == w.Peers }
		b.cost(t)
		if w, cost, err := b.cost(t); err != nil || w.Quiet || cost != [2]int32{1, 0} {
			t.Errorf("%+v, error %v, cost %v; want another look, and no packet", w, err, cost)
		}
		b.Extra = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
		if w, _, err := b.cost(t); err != nil || len(w.Cold) != 2 || w.Peers != 3 {
			t.Errorf("with another address: %+v, error %v", w, err)
		}
	})
}
