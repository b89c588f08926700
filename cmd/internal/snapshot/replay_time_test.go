// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A peer that was silent when a node was recorded costs a replay no time, and one that
// answered has its answer.
func TestReplayDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers, silent := netip.MustParseAddr("10.244.1.0"), netip.MustParseAddr("10.244.2.0")
		c := &conversation{Sent: map[netip.Addr][]*sent{
			answers: {{Replies: []reply{{Type: echoReply4, From: answers, Link: 7}}}},
			silent:  {{}, {}},
		}}
		view := newReplayed(&kernel{Conversations: []*conversation{c}})
		peers := []tunnel.Peer{{Probed: silent}, {Probed: answers}}
		start := time.Now()
		results, err := tunnel.Probe(context.Background(), view.ListenICMP, peers, tunnel.ProbeOptions{Wait: time.Second, RetryAfter: time.Second / 2})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the replay waited %v", took)
		}
		if results[0].State != tunnel.Silent || results[0].Sent != 2 || results[1].State != tunnel.Answered {
			t.Errorf("the peers are %v", results)
		}
	})
}

// What was not answered on a connection is not awaited either.
func TestReplayedConnectionDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		view := newReplayed(&kernel{Dialed: []*dialed{{Network: "udp", Address: "10.244.2.0:10977"}}})
		conn, err := view.Dial(t.Context(), "udp", "10.244.2.0:10977")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_ = conn.SetDeadline(start.Add(time.Second))
		if n, err := conn.Read(make([]byte, 8)); n != 0 || err == nil {
			t.Errorf("it read %d bytes, %v", n, err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the replay waited %v", took)
		}
	})
}

// A growing view has a counter of drops that grows once, at the end of the time that a
// check watches it for.
type growing struct {
	netstate.View
	start time.Time
}

func (g growing) Counter(name string) (uint64, error) {
	value, err := g.View.Counter(name)
	if name == "stat/nf_conntrack/drop" && time.Since(g.start) > 270*time.Millisecond {
		value++
	}
	return value, err
}

// A slow view is that of a slow machine.
type slow struct{ netstate.View }

func (s slow) Counter(name string) (uint64, error) {
	time.Sleep(100 * time.Millisecond)
	return s.View.Counter(name)
}

// How many readings of a counter a machine makes in the time does not change the verdict.
func TestReplayedCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const text = "link lo index 1 up\nsysctl net/netfilter/nf_conntrack_count = 1\nsysctl net/netfilter/nf_conntrack_max = 262144\ncounter stat/nf_conntrack/drop = 5\n"
		for _, machine := range []func(netstate.View) netstate.View{
			func(v netstate.View) netstate.View { return v },
			func(v netstate.View) netstate.View { return slow{v} },
		} {
			for _, recordedBy := range []func(netstate.View) netstate.View{
				func(v netstate.View) netstate.View { return v },
				func(v netstate.View) netstate.View { return slow{v} },
			} {
				kernel, err := netstate.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				suite := []*checks.Check{checks.Find("table-pressure")}
				s := New()
				target := &checks.Target{Node: recordedBy(growing{kernel, time.Now()})}
				s.Record(target)
				want := guard.Run(t.Context(), suite, guard.Node, guard.Settings{}, target).Outcomes[0]
				read := packed(t, s)
				replay := read.Target(node.GuardEntry{})
				replay.Node = machine(replay.Node)
				got := guard.Run(t.Context(), read.Suite(suite), guard.Node, guard.Settings{}, replay).Outcomes[0]
				if len(want.Findings) != 1 || len(got.Findings) != 1 || got.Findings[0] != want.Findings[0] {
					t.Errorf("the bundle has %v, error %v, and the node %v", got.Findings, got.Err, want.Findings)
				}
			}
		}
	})
}

// A bundle that has each reading, as early ones have, is judged without waiting as well.
func TestReplayedReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for want, readings := range map[uint64][]uint64{5: {5, 5, 5}, 6: {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 7}} {
			s := New()
			for _, value := range readings {
				_, _ = record(&s.kernel.Answers, value, nil, "Counter", "drops")
			}
			start := time.Now()
			got, err := packed(t, s).Target(node.GuardEntry{}).WatchCounters(t.Context(), map[string]uint64{"drops": 5}, time.Second)
			if err != nil || got["drops"] != want || time.Since(start) != 0 {
				t.Errorf("%v: %v after %v, error %v, want %d", readings, got, time.Since(start), err, want)
			}
		}
	})
}
