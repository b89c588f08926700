// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A watched Keeper is one on a fake, whose requests come out of a channel.
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
		Store: tunnel.PeerStoreIn(t.TempDir()), Kinds: []string{"ipip"}, Interval: time.Hour, Wait: 500 * time.Millisecond,
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

// locked is a writer for a buffer that another goroutine reads.
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

// end stops the Keeper and returns its log.
func (w *watched) end() string {
	w.stop()
	<-w.done
	return w.log.String()
}

// set changes the node, and reports a change of routes.
func (w *watched) set(t *testing.T, text string, change netstate.RouteChange) {
	t.Helper()
	fake := network(t, text)
	w.mu.Lock()
	w.fake = fake
	w.mu.Unlock()
	w.changes <- change
}

// expect waits until these addresses were probed, in any order, and no other.
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
				t.Fatalf("%s is probed; want %v", addr, want)
			}
			delete(want, addr)
		case <-late:
			t.Fatalf("%v are not probed", want)
		}
	}
}

func onTunnel() netstate.RouteChange {
	return netstate.RouteChange{Route: netstate.TunnelRoute{Link: 9}}
}

// All peers are probed at the start, and a new one when its route appears.
func TestRunNewPeer(t *testing.T) {
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

// Routes that flap forever do not keep new peers from being probed. They cause few lists,
// and few suppressions.
func TestRunFlappingRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		w.meetAdd(t)
		began := time.Now()
		w.run(t)
		w.expect(t, "10.1.0.0")
		flapping, stop := context.WithCancel(t.Context())
		suppressed := map[time.Time]bool{} // until when
		var flaps sync.WaitGroup
		flaps.Go(func() {
			for flapping.Err() == nil {
				select {
				case w.changes <- onTunnel():
					time.Sleep(time.Millisecond)
					suppressed[w.suppressedUntil(t)] = true
				case <-flapping.Done():
				}
			}
		})
		for i := range 4 {
			w.set(t, overlay(2+i, 0), onTunnel())
			w.expect(t, fmt.Sprintf("10.1.%d.0", 1+i))
		}
		time.Sleep(5 * time.Second)
		stop()
		flaps.Wait()
		w.end()
		w.checkDumps(t, began)
		// One a second, and one for each peer that was probed.
		if n := len(suppressed); n < 5 || n > int(time.Since(began)/time.Second)+6 {
			t.Errorf("ADDs were suppressed again %d times in %v", n, time.Since(began))
		}
	})
}

// suppressedUntil returns until when an ADD has nothing to do.
func (w *watched) suppressedUntil(t *testing.T) time.Time {
	files, err := filepath.Glob(filepath.Join(string(w.Store), "quiet-*"))
	if err != nil {
		t.Error(err)
	}
	var latest time.Time
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest
}

// checkDumps fails if there were more dumps than one in a fifth of a second, and two more
// at the start.
func (w *watched) checkDumps(t *testing.T, began time.Time) {
	t.Helper()
	if most := int(time.Since(began)/(200*time.Millisecond)) + 2; w.dumps > most {
		t.Errorf("%d dumps, want %d at most", w.dumps, most)
	}
}

// A subscription that breaks is made again.
func TestRunSubscriptionBreaks(t *testing.T) {
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

// An error of a dump is logged once, and the known peers are kept.
func TestRunLogsAnErrorOnce(t *testing.T) {
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
			t.Errorf("the log repeats itself:\n%s", log)
		}
		w.checkDumps(t, began)
	})
}

// While it runs, an ADD costs an lstat.
func TestRunSuppressesADDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(2, 0))
		w.Kinds = []string{"ipip", "vxlan"}
		w.meetAdd(t)
		if answers := w.ProbeAll(t.Context()); len(answers) != 2 || answers[0].State != tunnel.Answered {
			t.Fatalf("the answers are %v", answers)
		}
		for _, kinds := range [][]string{{"ipip"}, {"vxlan"}, {"vxlan", "ipip"}} {
			for _, require := range []tunnel.Require{tunnel.RequireNone, tunnel.RequireAny, tunnel.RequireAll} {
				b := newBench(t, "")
				b.Store, b.Kinds, b.Require = w.Store, kinds, require
				if got, cost, err := b.cost(t); err != nil || !got.Suppressed || cost != [2]int32{} {
					t.Errorf("kinds %v, require %s: %+v, error %v, cost %v", kinds, require, got, err, cost)
				}
			}
		}
	})
}

// meetAdd lets an ADD of this namespace use the store, and do nothing else.
func (w *watched) meetAdd(t *testing.T) {
	t.Helper()
	b := newBench(t, "")
	b.Store, b.Kinds = w.Store, []string{"geneve"}
	if _, _, err := b.cost(t); err != nil {
		t.Fatal(err)
	}
}

// For a silent peer only the ADDs that require its answer are not suppressed.
func TestRunSilentPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 1))
		w.meetAdd(t)
		w.ProbeAll(t.Context())
		for require, want := range map[tunnel.Require]bool{tunnel.RequireNone: true, tunnel.RequireAny: true, tunnel.RequireAll: false} {
			if got := w.Store.Suppressed(tunnel.NewSuppressionKey([]string{"ipip"}, nil, require), time.Now()); got != want {
				t.Errorf("require %s: suppressed is %t", require, got)
			}
		}
		if log := w.log.String(); !strings.Contains(log, "peers are silent") {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// Peers are probed again, even if the store cannot be written.
func TestRunRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		w.Store, w.Interval = "/proc/none", time.Nanosecond
		w.run(t)
		w.expect(t, "10.1.0.0")
		w.expect(t, "10.1.0.0")
		log := w.end()
		if !strings.Contains(log, "cannot record probes") {
			t.Errorf("the log is\n%s", log)
		}
	})
}

// A Keeper that cannot list or probe the peers must not keep ADDs from doing so, and
// keeps what others stored.
func TestRunWithoutProbesSuppressesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		dump error
	}{
		"no socket": {overlay(2, 0) + "fail ListenICMP = operation not permitted", nil},
		"no dump":   {overlay(2, 0), errors.New("no buffer space")},
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			b := newBench(t, overlay(1, 0))
			b.cost(t)
			if err := b.Store.Unsuppress(tunnel.NewSuppressionKey(b.Kinds, nil, b.Require)); err != nil {
				t.Fatal(err)
			}
			w := keep(t, c.text)
			w.Store, w.fail = b.Store, c.dump
			w.ProbeAll(t.Context())
			for _, require := range []tunnel.Require{tunnel.RequireNone, tunnel.RequireAny, tunnel.RequireAll} {
				if w.Store.Suppressed(tunnel.NewSuppressionKey([]string{"ipip"}, nil, require), time.Now()) {
					t.Errorf("require %s: suppressed", require)
				}
			}
			b.onNode(t, overlay(2, 0))
			if got, cost, err := b.cost(t); err != nil || got.Answered != 2 || cost != [2]int32{1, 1} {
				t.Errorf("%+v, error %v, cost %v; want the one that nobody asked", got, err, cost)
			}
		}))
	}
}

// A Keeper in another namespace than the plugin has other peers. Before the first ADD it
// is unknown which namespace that is.
func TestRunElsewhereSuppressesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(2, 0))
		key := tunnel.NewSuppressionKey([]string{"ipip"}, nil, tunnel.RequireNone)
		w.ProbeAll(t.Context())
		if w.Store.Suppressed(key, time.Now()) {
			t.Error("suppressed before the first ADD")
		}
		w.meetAdd(t)
		known, err := w.Store.Load(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		here := known.Netns
		for netns, want := range map[string]bool{"4:1": false, here: true} {
			known.Netns = netns
			if err := errors.Join(w.Store.Save(known), w.Store.Unsuppress(key)); err != nil {
				t.Fatal(err)
			}
			w.ProbeAll(t.Context())
			if w.Store.Suppressed(key, time.Now()) != want {
				t.Errorf("the plugin is in namespace %s: suppressed is %t", netns, !want)
			}
		}
	})
}

// Nor does a Keeper that probed its peers before, and can no longer list or probe them.
func TestRunWithErrorsSuppressesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := keep(t, overlay(1, 0))
		w.meetAdd(t)
		key := tunnel.NewSuppressionKey([]string{"ipip"}, nil, tunnel.RequireNone)
		open := w.Open
		closed := func(bool) (netstate.ICMPConn, error) { return nil, errors.New("operation not permitted") }
		for _, c := range []struct {
			fail error
			open tunnel.Opener
			want bool
		}{{nil, open, true}, {errors.New("no buffer space"), open, false}, {nil, closed, false}, {nil, open, true}} {
			if err := w.Store.Unsuppress(key); err != nil {
				t.Fatal(err)
			}
			w.fail, w.Open = c.fail, c.open
			w.ProbeAll(t.Context())
			if got := w.Store.Suppressed(key, time.Now()); got != c.want {
				t.Errorf("errors %v: suppressed is %t", w.Errors(), got)
			}
		}
	})
}

// After the clock was set back no peer waits for longer than the interval.
func TestRunClockSetBack(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct{ next, want time.Time }{
		"due":               {now.Add(-time.Second), now.Add(-time.Second)},
		"in time":           {now.Add(time.Minute), now.Add(time.Minute)},
		"an hour too late":  {now.Add(time.Hour), now.Add(4 * time.Minute)},
		"never asked":       {time.Time{}, time.Time{}},
		"just the interval": {now.Add(4 * time.Minute), now.Add(4 * time.Minute)},
	} {
		if got := tunnel.BoundDueTime(4*time.Minute, c.next, now); !got.Equal(c.want) {
			t.Errorf("%s: asked in %v, want %v", name, got.Sub(now), c.want.Sub(now))
		}
	}
}

// Two probes are never further apart than the interval, including the wait for a batch of
// others. The first are spread over the whole interval. No time is monotonic, which would
// stand still while the machine is suspended.
func TestRunRenewals(t *testing.T) {
	const interval, batch = 4 * time.Minute, 5 * time.Second
	early := 0
	for range 200 {
		last := time.Now()
		for i, next := range tunnel.Renewals(interval, last, 5) {
			gap := next.Sub(last)
			if gap > interval-batch || i > 0 && gap < interval*3/4 {
				t.Fatalf("request %d comes %v after the one before", i+1, gap)
			}
			if i == 0 && gap < interval/2 {
				early++
			}
			if strings.Contains(next.String(), "m=") {
				t.Fatalf("%v has a monotonic part", next)
			}
			last = next
		}
	}
	if early == 0 {
		t.Error("all of the first requests come late in the interval")
	}
}

// A node that takes over the block of another is a new peer.
func TestRunTakeover(t *testing.T) {
	for name, between := range map[string]string{
		"in one step": "",
		"in two":      "link flannel.ipip index 9 kind ipip up local 192.0.2.1\nroute 10.9.9.0/24 via 198.18.9.9 dev flannel.ipip onlink\nanswers 10.9.9.0\n",
	} {
		t.Run(name, fakeTime(func(t *testing.T) {
			w := keep(t, overlay(1, 0))
			w.run(t)
			w.expect(t, "10.1.0.0")
			if between != "" {
				w.set(t, between, onTunnel())
				w.expect(t, "10.9.9.0")
			}
			w.set(t, taken(overlay(1, 0)), onTunnel())
			w.expect(t, "10.1.0.0")
		}))
	}
}
