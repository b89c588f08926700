// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

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
