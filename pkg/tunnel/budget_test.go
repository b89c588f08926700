// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// stored returns how many peers are in the store.
func (b *bench) stored(t *testing.T) int {
	known, err := b.Store.Load(time.Now())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return len(known.Peers)
}

// There are more peers than the budget of a second: with five ADDs a second all are probed
// within seconds, and then ADDs are suppressed.
func TestPassMorePeersThanTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peers = tunnel.MaxPerSecond + 200
		b := newBench(t, overlay(peers, 0))
		b.Max, b.Wait = 1000, 100*time.Millisecond
		var last tunnel.Result
		for range 15 {
			w, _, err := b.cost(t)
			if err != nil {
				t.Fatal(err)
			}
			if !w.Suppressed {
				last = w
			}
			time.Sleep(200 * time.Millisecond)
		}
		if asked := b.stored(t); asked != peers || last.Answered != peers {
			t.Errorf("after three seconds %d of %d peers were probed, and %d answered", asked, peers, last.Answered)
		}
		if w, cost, err := b.cost(t); err != nil || !w.Suppressed || cost != [2]int32{} {
			t.Errorf("then: %+v, error %v, cost %v; want nothing", w, err, cost)
		}
	})
}

// A thousand peers that are all silent: requests and retries use up the budget. The next
// ADD probes only the peer that was not probed yet: once, and then at both addresses that
// it may have.
func TestPassThousandSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(0, 1001))
		b.Max, b.Wait = 1000, 200*time.Millisecond
		for i, want := range [][2]int32{{1, tunnel.MaxPerSecond}, {0, 0}, {1, 3}, {0, 0}} {
			w, cost, err := b.cost(t)
			if err != nil || w.Answered != 0 || cost != want {
				t.Errorf("pass %d: %d confirmed, error %v, cost %v, want %v", i+1, w.Answered, err, cost, want)
			}
			if i == 1 {
				time.Sleep(time.Second)
			}
		}
	})
}

// If the budget is used up, no answer is awaited, and the next ADDs do nothing.
func TestPassWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, overlay(5, 0))
		b.Wait = 100 * time.Millisecond
		known, _ := b.Store.Load(time.Now())
		known.Budget = tunnel.SendBudget{At: time.Now(), Packets: tunnel.MaxPerSecond}
		if err := b.Store.Save(known); err != nil {
			t.Fatal(err)
		}
		if w, cost, err := b.cost(t); err != nil || w.Probed != 0 || cost != [2]int32{1, 0} {
			t.Errorf("%+v, error %v, cost %v; want a dump", w, err, cost)
		}
		if w, cost, err := b.cost(t); err != nil || !w.Suppressed || cost != [2]int32{} {
			t.Errorf("right after: %+v, error %v, cost %v; want nothing", w, err, cost)
		}
		time.Sleep(time.Second)
		if w, cost, err := b.cost(t); err != nil || w.Answered != 5 || cost != [2]int32{1, 5} {
			t.Errorf("a second later: %+v, error %v, cost %v; want all", w, err, cost)
		}
	})
}

func TestSpend(t *testing.T) {
	now := time.Now()
	before := tunnel.SendBudget{At: now.Add(-900 * time.Millisecond), Packets: 1900}
	for name, c := range map[string]struct {
		packets int
		now     time.Time
		want    tunnel.SendBudget
	}{
		"nothing":        {0, now, before},
		"one more":       {1, now, tunnel.SendBudget{At: now, Packets: 1901}},
		"a second later": {1, now.Add(time.Second), tunnel.SendBudget{At: now.Add(time.Second), Packets: 1}},
	} {
		if got := tunnel.Spend(before, c.packets, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// endless has a deadline that never comes: waiting for nothing does not end in it.
type endless struct{ context.Context }

func (endless) Deadline() (time.Time, bool) { return time.Now().Add(500 * time.Millisecond), true }

// An answer is not awaited if the budget has no room for the request in time.
func TestProbeWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := tunnel.ProbeOptions{Wait: time.Hour, RetryAfter: time.Minute, Budget: tunnel.SendBudget{At: time.Now(), Packets: tunnel.MaxPerSecond}}
		fake := network(t, "answers 10.0.0.1")
		answers, err := tunnel.Probe(endless{t.Context()}, fake.ListenICMP, peersAt("10.0.0.1", "10.0.0.2"), opt)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if got := say(a); got != "unprobed (there was no time to probe it)" {
				t.Errorf("%s: %s", a.Peer.Probed, got)
			}
		}
	})
}

// An answer is not awaited if there is no route to any address of the peer.
func TestProbeWithoutRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := network(t, "")
		nowhere := func(six bool) (netstate.ICMPConn, error) {
			conn, err := fake.ListenICMP(six)
			return refusing{conn}, err
		}
		peers := peersAt("10.0.0.1")
		peers[0].Also = []netip.Addr{netip.MustParseAddr("10.0.0.2")}
		answers, err := tunnel.Probe(t.Context(), nowhere, peers, tunnel.ProbeOptions{Wait: time.Hour, RetryAfter: time.Minute})
		if err != nil || say(answers[0]) != "unreachable (network is unreachable)" {
			t.Errorf("%s, error %v", say(answers[0]), err)
		}
	})
}

// refusing is a socket of a namespace without routes.
type refusing struct{ netstate.ICMPConn }

func (refusing) Send([]byte, netip.Addr) error { return unix.ENETUNREACH }
