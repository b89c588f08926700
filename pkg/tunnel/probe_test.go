// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

func network(t *testing.T, text string) *netstate.Fake {
	t.Helper()
	fake, err := netstate.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return fake
}

func peersAt(addrs ...string) []tunnel.Peer {
	peers := make([]tunnel.Peer, len(addrs))
	for i, addr := range addrs {
		if addr != "" {
			peers[i].Probed = netip.MustParseAddr(addr)
		}
	}
	return peers
}

// say returns an answer as one line.
func say(a tunnel.ProbeResult) string {
	words := []string{a.State.String()}
	if a.By.IsValid() {
		words = append(words, "by "+a.By.String())
	}
	if a.Reason != "" {
		words = append(words, "("+a.Reason+")")
	}
	return strings.Join(words, " ")
}

func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const world = `
answers 10.0.0.1
answers 10.0.0.2 after 2
answers 10.0.0.3 as 10.0.0.33
unreachable 10.0.0.4 by 192.0.2.1
answers fd00::1
answers fd00::2 after 2
unreachable fd00::4 by fd00::ffff
answers 10.0.0.9
answers 10.0.0.5
answers 10.0.0.5
`
		peers := peersAt("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "fd00::1", "fd00::2", "fd00::4", "", "10.0.0.1", "10.0.0.8")
		peers[11].Also = []netip.Addr{netip.MustParseAddr("10.0.0.9")}
		fake := network(t, world)
		open := func(six bool) (netstate.ICMPConn, error) {
			conn, err := fake.ListenICMP(six)
			return hooked{conn, func(netip.Addr) { time.Sleep(time.Millisecond) }}, err // each answer takes so long
		}
		want := []string{
			"answered by 10.0.0.1", "retried by 10.0.0.2",
			"silent by 10.0.0.33 (another address answered in its place)",
			"unreachable by 192.0.2.1 (no route to the host)",
			"answered by 10.0.0.5", "silent",
			"answered by fd00::1", "retried by fd00::2", "unreachable by fd00::ffff (administratively prohibited)",
			"unprobed (no address of it is known that answers a ping)",
			"answered by 10.0.0.1", "answered by 10.0.0.9",
		}
		answers, err := tunnel.Probe(t.Context(), open, peers, tunnel.ProbeOptions{Wait: time.Second, RetryAfter: time.Second / 2})
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if got := say(a); got != want[i] {
				t.Errorf("%s: %s, want %s", a.Peer.Probed, got, want[i])
			}
			if (a.RTT > 0) != a.State.Confirms() {
				t.Errorf("%s: %v with a round trip of %v", a.Peer.Probed, a.State, a.RTT)
			}
		}
	})
}

// Without a retry only the probed addresses are asked, and once.
func TestProbeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peers := peersAt("10.0.0.2", "10.0.0.8")
		peers[1].Also = []netip.Addr{netip.MustParseAddr("10.0.0.9")}
		answers, err := tunnel.Probe(t.Context(), network(t, "answers 10.0.0.2 after 2\nanswers 10.0.0.9").ListenICMP, peers, tunnel.ProbeOptions{Wait: time.Millisecond})
		if err != nil || say(answers[0]) != "silent" || say(answers[1]) != "silent" {
			t.Errorf("%v, error %v, want two that are silent", answers, err)
		}
	})
}

// Nobody to ask needs no socket.
func TestProbeNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := func(bool) (netstate.ICMPConn, error) {
			t.Error("a socket is opened")
			return nil, errors.New("no")
		}
		answers, err := tunnel.Probe(t.Context(), open, peersAt(""), tunnel.ProbeOptions{Wait: time.Hour})
		if err != nil || len(answers) != 1 || answers[0].State != tunnel.Unprobed {
			t.Errorf("%v, error %v", answers, err)
		}
	})
}

// Without CAP_NET_RAW nobody can be asked, and that is an error.
func TestProbeWithoutSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := network(t, "answers 10.0.0.1\nanswers fd00::1\nfail ListenICMP = operation not permitted")
		answers, err := tunnel.Probe(t.Context(), fake.ListenICMP, peersAt("10.0.0.1", "fd00::1"), tunnel.ProbeOptions{Wait: time.Hour, RetryAfter: time.Minute})
		if err == nil || !strings.Contains(err.Error(), "not permitted") {
			t.Errorf("the error is %v", err)
		}
		for _, a := range answers {
			if a.State != tunnel.Unprobed || !strings.Contains(a.Reason, "not permitted") {
				t.Errorf("%s: %s", a.Peer.Probed, say(a))
			}
		}
	})
}

// A family that is switched off takes nothing from the other.
func TestProbeOneFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := network(t, "answers 10.0.0.1\nanswers fd00::1")
		open := func(six bool) (netstate.ICMPConn, error) {
			if six {
				return nil, errors.New("address family not supported by protocol")
			}
			return fake.ListenICMP(six)
		}
		answers, err := tunnel.Probe(t.Context(), open, peersAt("fd00::1", "10.0.0.1"), tunnel.ProbeOptions{Wait: time.Hour, RetryAfter: time.Minute})
		if err != nil {
			t.Error(err)
		}
		if got := say(answers[0]); got != "unprobed (address family not supported by protocol)" {
			t.Errorf("of the family that is off: %s", got)
		}
		if got := say(answers[1]); got != "answered by 10.0.0.1" {
			t.Errorf("of the other: %s", got)
		}
	})
}

// An end of the context ends the waiting, however long it was to be.
func TestProbeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	conn := &stuck{started: cancel}
	conn.end.Lock()
	answers, err := tunnel.Probe(ctx, func(bool) (netstate.ICMPConn, error) { return conn, nil }, peersAt("10.0.0.1", "10.0.0.2"), tunnel.ProbeOptions{Wait: time.Hour, RetryAfter: time.Minute})
	if err != nil {
		t.Error(err)
	}
	for _, a := range answers {
		if a.State.Confirms() || a.Reason == "" && a.State == tunnel.Unprobed {
			t.Errorf("%s: %s", a.Peer.Probed, say(a))
		}
	}
}

// stuck is a socket of a device that takes no packets.
type stuck struct {
	started func()
	end     sync.Mutex // locked until the deadline
	once    sync.Once
}

func (s *stuck) Send([]byte, netip.Addr) error {
	s.started()
	s.end.Lock()
	defer s.end.Unlock()
	return fmt.Errorf("send: %w", os.ErrDeadlineExceeded)
}

func (s *stuck) Receive([]byte) (int, netstate.Sender, error) {
	s.end.Lock()
	defer s.end.Unlock()
	return 0, netstate.Sender{}, fmt.Errorf("receive: %w", os.ErrDeadlineExceeded)
}

func (s *stuck) SetDeadline(time.Time) error {
	s.once.Do(s.end.Unlock)
	return nil
}

func (s *stuck) Close() error           { return nil }
func (s *stuck) ForbidFragments() error { return nil }

// One socket for each family, and no goroutine for a peer.
func TestProbeManyPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var peers []tunnel.Peer
		var world strings.Builder
		for i := range 1000 {
			addr := fmt.Sprintf("10.%d.%d.0", i/250, i%250)
			fmt.Fprintf(&world, "answers %s\n", addr)
			peers = append(peers, peersAt(addr)...)
		}
		peers = append(peers, peers[:10]...) // one address, two devices
		fake := network(t, world.String())
		var sockets, sent atomic.Int32
		open := func(six bool) (netstate.ICMPConn, error) {
			sockets.Add(1)
			conn, err := fake.ListenICMP(six)
			return counting{conn, &sent}, err
		}
		answers, err := tunnel.Probe(t.Context(), open, peers, tunnel.ProbeOptions{Wait: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if a.State != tunnel.Answered {
				t.Fatalf("%s: %s", a.Peer.Probed, say(a))
			}
		}
		if sockets.Load() != 1 || sent.Load() != 1000 {
			t.Errorf("%d sockets, %d packets; want one, and one for each address", sockets.Load(), sent.Load())
		}
	})
}

type counting struct {
	netstate.ICMPConn
	sent *atomic.Int32
}

func (c counting) Send(message []byte, to netip.Addr) error {
	c.sent.Add(1)
	return c.ICMPConn.Send(message, to)
}

// What is over the pace when the time is up is not sent.
func TestProbeKeepsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var peers []tunnel.Peer
		for i := range 300 {
			peers = append(peers, peersAt(fmt.Sprintf("10.0.%d.%d", i/250, i%250))...)
		}
		var sent atomic.Int32
		fake := network(t, "")
		open := func(six bool) (netstate.ICMPConn, error) {
			conn, err := fake.ListenICMP(six)
			return counting{conn, &sent}, err
		}
		opt := tunnel.ProbeOptions{Wait: 300 * time.Millisecond, Within: 300 * time.Millisecond, RetryAfter: 150 * time.Millisecond, PerSecond: 200, Budget: tunnel.SendBudget{At: time.Now(), Packets: 50}}
		answers, err := tunnel.Probe(t.Context(), open, peers, opt)
		if err != nil {
			t.Fatal(err)
		}
		silent, unasked := 0, 0
		for _, a := range answers {
			switch say(a) {
			case "silent":
				silent++
			case "unprobed (there was no time to probe it)":
				unasked++
			}
		}
		if sent.Load() != 150 || silent != 150 || unasked != 150 {
			t.Errorf("%d packets, %d silent, %d unasked; want 150 of each", sent.Load(), silent, unasked)
		}
	})
}

// An answer counts if it came in by a device of the peer's: not one of the node itself,
// nor one of a container that sends with the address of the peer.
func TestProbeWayOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := network(t, `
answers 10.0.0.1 over 9
answers 10.0.0.2 over 12
answers 10.0.0.3 over 1
answers 10.0.0.4
answers 10.0.0.5 over 12
answers 10.0.0.6 over 1
answers 10.0.0.7 over 10
answers 10.0.0.8 over 10
answers 10.0.0.9 over 12
`)
		peers := peersAt("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.8", "10.0.0.9", "10.0.0.9")
		for i, links := range [][]int{{9}, {9}, {9}, {9}, nil, nil, {9, 10}, {9}, {10}, {9}, nil} {
			peers[i].Links = links
		}
		answers, err := tunnel.Probe(t.Context(), fake.ListenICMP, peers, tunnel.ProbeOptions{Wait: 100 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		const astray = "silent by %s (the answer did not come through the tunnel)"
		for i, want := range []string{
			"answered by 10.0.0.1", fmt.Sprintf(astray, "10.0.0.2"), fmt.Sprintf(astray, "10.0.0.3"),
			"answered by 10.0.0.4", // an old kernel does not say
			"answered by 10.0.0.5", fmt.Sprintf(astray, "10.0.0.6"), "answered by 10.0.0.7",
			"answered by 10.0.0.8", "answered by 10.0.0.8", "answered by 10.0.0.9", "answered by 10.0.0.9",
		} {
			if got := say(answers[i]); got != want {
				t.Errorf("%s: %s, want %s", peers[i].Probed, got, want)
			}
		}
	})
}
