// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A watched keeper is one on a fake, whose requests come out of a channel.
type watched struct {
	tunnel.Keeper
	changes chan netstate.RouteChange
	asked   chan netip.Addr

	mu    sync.Mutex
	fake  *netstate.Fake
	fail  error // of Dump
	dumps int
	log   bytes.Buffer
	stop  func()
	done  chan struct{}
}

func keep(t *testing.T, text string) *watched {
	t.Helper()
	w := &watched{changes: make(chan netstate.RouteChange, 10), asked: make(chan netip.Addr, 10000), fake: network(t, text), done: make(chan struct{})}
	w.Keeper = tunnel.Keeper{
		Memory: tunnel.MemoryOf(t.TempDir()), Kinds: []string{"ipip"}, Interval: time.Hour,
		Dump: func() (netstate.TunnelDump, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.dumps++
			if w.fail != nil {
				return netstate.TunnelDump{}, w.fail
			}
			return w.fake.TunnelDump()
		},
		Watch: func(context.Context) (<-chan netstate.RouteChange, error) { return w.changes, nil },
		Open: func(six bool) (netstate.ICMPConn, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			conn, err := w.fake.ListenICMP(six)
			return hooked{conn, func(to netip.Addr) { w.asked <- to }}, err
		},
		Log: slog.New(slog.NewJSONHandler(&locked{mu: &w.mu, to: &w.log}, nil)),
	}
	return w
}

// locked is a writer that others read from meanwhile.
type locked struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

func (w *watched) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w.stop = cancel
	go func() {
		defer close(w.done)
		w.Run(ctx)
	}()
	t.Cleanup(func() { w.end() })
}

// end stops the keeper and gives what it logged.
func (w *watched) end() string {
	w.stop()
	<-w.done
	return w.log.String()
}

// set has the node be something else, and says so.
func (w *watched) set(t *testing.T, text string, change netstate.RouteChange) {
	t.Helper()
	fake := network(t, text)
	w.mu.Lock()
	w.fake = fake
	w.mu.Unlock()
	w.changes <- change
}

// expect waits until addresses were asked, in any order, and nobody else.
func (w *watched) expect(t *testing.T, addrs ...string) {
	t.Helper()
	want := map[netip.Addr]bool{}
	for _, addr := range addrs {
		want[netip.MustParseAddr(addr)] = true
	}
	late := time.After(24 * time.Hour)
	for len(want) > 0 {
		select {
		case addr := <-w.asked:
			if !want[addr] {
				t.Fatalf("%s is asked; want %v", addr, want)
			}
			delete(want, addr)
		case <-late:
			t.Fatalf("nobody asks %v", want)
		}
	}
}

func onTunnel() netstate.RouteChange {
	return netstate.RouteChange{Route: netstate.TunnelRoute{Link: 9}}
}

// A peer is asked at the start, and a new one when its route appears.
func TestKeepNewPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(2, 0))
		w.run(t)
		w.expect(t, "10.1.0.0", "10.1.1.0")
		w.set(t, overlay(3, 0), onTunnel())
		w.expect(t, "10.1.2.0")
		w.set(t, overlay(4, 0), netstate.RouteChange{Resync: true}) // changes were lost: ENOBUFS
		w.expect(t, "10.1.3.0")
		log := w.end()
		if !strings.Contains(log, "peers appeared") || strings.Contains(log, "cannot") || strings.Contains(log, "silent") {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// Changes that come without end do not keep it from asking.
func TestKeepFlappingRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		began := time.Now()
		w.run(t)
		w.expect(t, "10.1.0.0")
		flapping, stop := context.WithCancel(t.Context())
		var flaps sync.WaitGroup
		flaps.Go(func() {
			for flapping.Err() == nil {
				select {
				case w.changes <- onTunnel():
					time.Sleep(time.Millisecond)
				case <-flapping.Done():
				}
			}
		})
		for i := range 4 {
			w.set(t, overlay(2+i, 0), onTunnel())
			w.expect(t, fmt.Sprintf("10.1.%d.0", 1+i))
		}
		stop()
		flaps.Wait()
		w.end()
		w.looksSince(t, began)
	})
}

// looksSince wants no more dumps than one in a fifth of a second, and two more at
// the start.
func (w *watched) looksSince(t *testing.T, began time.Time) {
	t.Helper()
	if most := int(time.Since(began)/(200*time.Millisecond)) + 2; w.dumps > most {
		t.Errorf("it looked %d times, want %d at most", w.dumps, most)
	}
}

// A subscription that breaks is made again.
func TestKeepSubscriptionBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		subscribed := make(chan chan netstate.RouteChange, 10)
		w.Watch = func(context.Context) (<-chan netstate.RouteChange, error) {
			changes := make(chan netstate.RouteChange, 1)
			subscribed <- changes
			return changes, nil
		}
		w.run(t)
		w.expect(t, "10.1.0.0")
		close(<-subscribed)
		again := <-subscribed
		fake := network(t, overlay(2, 0))
		w.mu.Lock()
		w.fake = fake
		w.mu.Unlock()
		again <- onTunnel()
		w.expect(t, "10.1.1.0")
	})
}

// A dump that fails is said once, and who is known is kept.
func TestKeepTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		w.fail = errors.New("no buffer space")
		began := time.Now()
		w.run(t)
		for range 3 {
			w.changes <- onTunnel()
		}
		w.mu.Lock()
		w.fail = nil
		w.mu.Unlock()
		w.changes <- onTunnel()
		w.expect(t, "10.1.0.0")
		log := w.end()
		if strings.Count(log, "cannot list the peers") > 1 {
			t.Errorf("the log says the same twice:\n%s", log)
		}
		w.looksSince(t, began)
	})
}

// While it runs, an ADD has nothing to do but a stat.
func TestKeepSparesAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(2, 0))
		w.Kinds = []string{"ipip", "vxlan"}
		w.meetAdd(t)
		if answers := w.Once(t.Context()); len(answers) != 2 || answers[0].State != tunnel.Answered {
			t.Fatalf("the answers are %v", answers)
		}
		for _, kinds := range [][]string{{"ipip"}, {"vxlan"}, {"vxlan", "ipip"}} {
			for _, demands := range []string{"", "any", "all"} {
				b := newBench(t, "")
				b.Memory, b.Kinds, b.Demands = w.Memory, kinds, demands
				if got, cost, err := b.cost(t); err != nil || !got.Quiet || cost != [2]int32{} {
					t.Errorf("kinds %v, demands %q: %+v, error %v, cost %v", kinds, demands, got, err, cost)
				}
			}
		}
	})
}

// meetAdd has an ADD of this namespace go by the memory, which is all that it does.
func (w *watched) meetAdd(t *testing.T) {
	t.Helper()
	b := newBench(t, "")
	b.Memory, b.Kinds = w.Memory, []string{"geneve"}
	if _, _, err := b.cost(t); err != nil {
		t.Fatal(err)
	}
}

// A peer that is silent keeps those awake who demand its answer, and only those.
func TestKeepSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 1))
		w.meetAdd(t)
		w.Once(t.Context())
		for demands, quiet := range map[string]bool{"": true, "any": true, "all": false} {
			if got := w.Memory.Quiet(tunnel.Topic([]string{"ipip"}, nil, demands), time.Now()); got != quiet {
				t.Errorf("demands %q: quiet is %v", demands, got)
			}
		}
		if log := w.log.String(); !strings.Contains(log, "peers are silent") {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// Peers are renewed within the interval, and where nothing can be written, too.
func TestKeepRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		w.Memory, w.Interval = "/proc/none", time.Nanosecond
		w.run(t)
		w.expect(t, "10.1.0.0")
		w.expect(t, "10.1.0.0")
		log := w.end()
		if !strings.Contains(log, "cannot remember peers") {
			t.Errorf("the log is\n%s", log)
		}
	})
}
