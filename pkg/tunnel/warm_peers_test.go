// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A peer that was silent before is asked along with others, once, and they alone are
// worth a wait.
func TestWarmSilentAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(2, 1))
		b.Wait = 300 * time.Millisecond
		b.cost(t)
		time.Sleep(5 * time.Minute)
		if w, cost, err := b.cost(t); err != nil || w.Confirmed != 2 || cost != [2]int32{1, 3} {
			t.Errorf("%+v, error %v, cost %v; want three packets, and none twice", w, err, cost)
		}
	})
}

// Who answers when asked in passing is known to be back.
func TestWarmSilentReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 20))
		b.Wait = 300 * time.Millisecond
		b.cost(t)
		b.onNode(t, overlay(20, 0))
		time.Sleep(5 * time.Minute)
		if w, _, err := b.cost(t); err != nil || w.Confirmed != 20 {
			t.Errorf("%+v, error %v", w, err)
		}
	})
}

// Without a wait each is asked once, and of nobody it is said that it was silent.
func TestWarmWithoutWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 2))
		b.Wait = 0
		if w, cost, err := b.cost(t); err != nil || w.Asked != 2 || len(w.Cold) != 0 || cost != [2]int32{1, 2} {
			t.Errorf("%+v, error %v, cost %v; want two packets", w, err, cost)
		}
		known, err := b.Memory.Load(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for addr, r := range known.Peers {
			if r.State != tunnel.Unprobed || !strings.Contains(r.Why, "not waited for") || r.Misses != 0 {
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

// Who demands answers asks a silent peer every few seconds: it may be back.
func TestWarmDemandsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 1))
		b.Wait = 100 * time.Millisecond
		b.Demands, b.Satisfied = "all", func(w tunnel.Warmth) bool { return w.Confirmed == w.Peers }
		b.cost(t)
		for range 10 {
			time.Sleep(5 * time.Second)
			if _, cost, err := b.cost(t); err != nil || cost != [2]int32{1, 1} {
				t.Fatalf("five seconds later: error %v, cost %v; want a packet", err, cost)
			}
		}
	})
}

// The node's own addresses always answer, and are no peers.
func TestWarmOwnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 1)+"answers 10.0.0.0\nanswers 192.0.2.1\nanswers 192.0.2.2\n")
		b.Wait = 100 * time.Millisecond
		b.Local = func(addr netip.Addr) bool { return addr == netip.MustParseAddr("192.0.2.1") }
		b.Extra = []netip.Addr{netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.1.0.0")}
		if w, _, err := b.cost(t); err != nil || w.Peers != 1 || w.Confirmed != 0 {
			t.Errorf("%+v, error %v; want one that is silent", w, err)
		}
		b.Extra = append(b.Extra, netip.MustParseAddr("192.0.2.2"))
		if w, _, err := b.cost(t); err != nil || w.Peers != 2 || w.Confirmed != 1 {
			t.Errorf("with another: %+v, error %v", w, err)
		}
	})
}

// Who wants no kind of tunnel needs no look at any.
func TestWarmAddressesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(1, 0)+"answers 192.0.2.2\n")
		b.Kinds, b.Extra = nil, []netip.Addr{netip.MustParseAddr("192.0.2.2")}
		if w, cost, err := b.cost(t); err != nil || w.Peers != 1 || w.Confirmed != 1 || cost != [2]int32{0, 1} {
			t.Errorf("%+v, error %v, cost %v; want a packet and no dump", w, err, cost)
		}
	})
}

// Nodes that may not ask all at once do not all begin with the same.
func TestWarmBeginsAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := map[netip.Addr]bool{}
		for range 5 {
			b := newBench(t, overlay(1000, 0))
			b.Max = 10
			b.cost(t)
			known, _ := b.Memory.Load(time.Now())
			for addr := range known.Peers {
				seen[addr] = true
			}
		}
		if len(seen) <= 10 {
			t.Errorf("five nodes ask the same %d of 1,000 peers", len(seen))
		}
	})
}

// Of many ADDs at once one asks, and the others wait until it is done.
func TestWarmTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newBench(t, overlay(1, 0)), newBench(t, overlay(1, 0))
		b.Memory = a.Memory
		type outcome struct {
			tunnel.Warmth
			error
		}
		ended := make(chan outcome, 1)
		open := a.Open
		a.Open = func(six bool) (netstate.ICMPConn, error) {
			go func() {
				w, err := b.Warm(t.Context())
				ended <- outcome{w, err}
			}()
			synctest.Wait()
			if len(ended) > 0 {
				t.Error("while one asks another goes on")
			}
			return open(six)
		}
		if w, _, err := a.cost(t); err != nil || w.Confirmed != 1 {
			t.Errorf("%+v, error %v", w, err)
		}
		if got := <-ended; got.error != nil || !got.Quiet || b.dumps.Load() != 0 {
			t.Errorf("the other: %+v, %d dumps; want to hear that all is quiet", got, b.dumps.Load())
		}
	})
}
