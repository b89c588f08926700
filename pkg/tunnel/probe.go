// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A State is what the last probe of a peer showed.
type State uint8

const (
	Unprobed    State = iota // nothing was sent, or no answer was awaited
	Answered                 // the first request was answered
	Retried                  // a later request was answered, but not the first
	Silent                   // no request was answered in time
	Unreachable              // a host, or this one, reported that the request cannot be delivered
)

func stateNames() []string {
	return []string{"unprobed", "answered", "retried", "silent", "unreachable"}
}

// String returns the name that the documentation uses.
func (s State) String() string {
	if names := stateNames(); int(s) < len(names) {
		return names[s]
	}
	return "invalid"
}

// Confirms reports whether the peer answered.
func (s State) Confirms() bool { return s == Answered || s == Retried }

// MarshalText returns the name, as String does.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText accepts the names that String returns.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames(), string(text))
	if i < 0 {
		return fmt.Errorf("%q is not a state of a peer", text)
	}
	*s = State(i)
	return nil
}

// A ProbeResult is the result of probing one peer. In the zero ProbeResult nothing is
// known.
type ProbeResult struct {
	Peer  Peer
	State State
	RTT   time.Duration // from the request to its answer; zero without an answer
	// By is the sender of what decided State: the address that answered; for Unreachable
	// the host that said so, or the zero Addr if it was this one; for Silent an address
	// that answered in the peer's place, if one did.
	By     netip.Addr
	Sent   int    // requests that left for it
	Reason string // a clause, if State does not say all: "no route to the host"
	// Carrier is what a host on the way reported of an outer packet of the tunnel to this
	// peer; the zero Refusal: nothing.
	Carrier Refusal
}

// A Refusal is the report of a host that it did not deliver an outer packet.
type Refusal struct {
	By     netip.Addr // the host; the zero Addr in the zero Refusal
	Closed bool       // it is the port or the protocol that is unreachable, not the host
	Reason string     // a clause
}

// The reasons of results that say nothing about the peer.
const (
	reasonNoTime = "there was no time to probe it"
	// reasonNotAwaited is that of a peer to which a request was sent.
	reasonNotAwaited = "it was probed, but its answer was not awaited"
	// reasonWrongDevice is that of an answer that arrived on another device than the
	// tunnel: it proves nothing about the tunnel, and may come from a container of this node.
	reasonWrongDevice = "the answer did not come through the tunnel"
)

// wasNotProbed reports whether nothing was sent to the peer.
func (r ProbeResult) wasNotProbed() bool {
	return r.State == Unprobed && r.Reason != reasonNotAwaited
}

// An Opener opens an ICMP socket in the namespace that the requests leave from, as
// View.ListenICMP of package netstate does.
type Opener func(six bool) (netstate.ICMPConn, error)

// ProbeOptions say how peers are probed. With the zero ProbeOptions each gets one
// request, and no answer is awaited.
type ProbeOptions struct {
	Wait time.Duration // for answers, counted from when the last request left
	// RetryAfter is the part of Wait after which peers that have not answered get a
	// second request, as do their alternative addresses. Zero: never.
	RetryAfter time.Duration
	Within     time.Duration // bounds all of it, the sending included; zero: no bound
	// Opportunistic is how many of the peers, the last ones, get one request only, if
	// the budget allows it at once, and have but a moment for the answer.
	Opportunistic int
	PerSecond     int        // packets in any second at most; zero: MaxPerSecond
	Budget        SendBudget // what was sent shortly before
	// Bytes is the size of the requests' IP packets, and so of the answers'; 0: the smallest.
	// Such packets have the "don't fragment" bit.
	Bytes int
}

// Probe sends requests to all peers in a burst, as far as the budget allows, and returns
// a result for each, in their order. It returns as soon as no answer is outstanding.
// Unprobed are peers without a probed address, those for whom there was no time, and
// without a Wait those that have not answered yet.
//
// The error is why no peer could be probed. If only some could not, their results have
// the reason.
func Probe(ctx context.Context, open Opener, peers []Peer, opt ProbeOptions) ([]ProbeResult, error) {
	if opt.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opt.Within)
		defer cancel()
	}
	p := newProber(peers, opt)
	defer p.close()
	if err := p.open(open); err != nil {
		return p.results(peers), err
	}
	defer context.AfterFunc(ctx, p.stop)() // a device that accepts no packets must not block
	received := p.receive()
	if opt.RetryAfter > 0 {
		p.round(ctx, first, opt.RetryAfter)
		p.round(ctx, second, opt.Wait-opt.RetryAfter)
	} else {
		p.round(ctx, first, opt.Wait)
	}
	if p.opportunistic && !p.drain() {
		await(ctx, p.expectOpportunistic(), min(opt.Wait, silentPeerWait)-time.Since(p.sent))
	}
	p.stop()
	<-received
	return p.results(peers), nil
}

// silentPeerWait is how long the answer of a peer that was silent before is awaited.
const silentPeerWait = 20 * time.Millisecond

// An attempt is a round of requests.
type attempt uint8

const (
	first attempt = iota
	second
	attempts
)

// round sends the requests of an attempt and awaits the answers.
func (p *prober) round(ctx context.Context, n attempt, wait time.Duration) {
	done := p.expect(n)
	p.send(ctx, n)
	if !p.drain() {
		await(ctx, done, wait)
	}
}

// A drainer is a socket that has all the messages that it will ever receive, as one that
// replays a recording. There is nothing to wait for.
type drainer interface {
	// Drain returns once the last message of those that answer what was sent so far was
	// received and handled: the next call of Receive waits.
	Drain()
}

// drain receives what there is, and reports whether no answer can come later.
func (p *prober) drain() bool {
	all := true
	p.each(func(conn netstate.ICMPConn, _ bool) {
		if _, is := conn.(drainer); !is {
			all = false
		}
	})
	if all {
		p.each(func(conn netstate.ICMPConn, _ bool) { conn.(drainer).Drain() })
	}
	return all
}

// await returns when done is closed, or after a while.
func await(ctx context.Context, done <-chan struct{}, wait time.Duration) {
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// packetsOf returns how many requests the results took.
func packetsOf(results []ProbeResult) int {
	n := 0
	for _, r := range results {
		n += r.Sent
	}
	return n
}

// notProbedError returns an error if peers could not be probed for a reason of this node.
func notProbedError(results []ProbeResult) error {
	count, reason := 0, ""
	for _, r := range results {
		if r.wasNotProbed() && r.Reason != reasonNoTime {
			count, reason = count+1, r.Reason
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("probe %d of %d peers: %w", count, len(results), errors.New(reason))
}

// MaxPerSecond is how many packets leave within any second, unless an option says
// otherwise. It is enough for the burst that a new node needs, and less than the packet
// limit of small machines in any cloud.
const MaxPerSecond = 1900

// A SendBudget is what was sent within the last second, by any process of the node. With
// the zero SendBudget all of MaxPerSecond is left.
type SendBudget struct {
	At      time.Time `json:"at"` // when the last packet left
	Packets int       `json:"packets"`
}

// spend returns the budget after packets that leave now. Packets of the second before
// count from now on once more: sending too slowly is better than too fast.
func (b SendBudget) spend(packets int, now time.Time) SendBudget {
	if packets == 0 {
		return b // or a process without room would keep the next one from finding any
	}
	if now.Sub(b.At) < time.Second {
		packets += b.Packets
	}
	return SendBudget{At: now, Packets: packets}
}

// freeAt returns when the next packet may leave; the zero Time if at once.
func (b SendBudget) freeAt() time.Time {
	if b.Packets < MaxPerSecond {
		return time.Time{}
	}
	return b.At.Add(time.Second)
}

// A pacer limits the packets in any second, wherever that second begins; up to the limit
// they leave at once. It remembers when each of the last packets left: a packet must be a
// second later than the one that is the limit before it. A bucket that is refilled evenly
// would let twice the limit through in the second in which it starts full.
type pacer struct {
	sent []time.Time // a ring, as long as the limit
	next int
}

func newPacer(limit int, budget SendBudget) *pacer {
	if limit <= 0 {
		limit = MaxPerSecond
	}
	p := &pacer{sent: make([]time.Time, limit)}
	at := budget.At
	if now := time.Now(); at.After(now) { // the clock was set back
		at = now
	}
	for range min(budget.Packets, limit) {
		p.record(at)
	}
	return p
}

// delay returns how long the next packet has to wait.
func (p *pacer) delay(now time.Time) time.Duration {
	return max(0, p.sent[p.next].Add(time.Second).Sub(now))
}

// record counts a packet that leaves now.
func (p *pacer) record(now time.Time) {
	p.sent[p.next] = now
	p.next = (p.next + 1) % len(p.sent)
}

// await waits until a packet may leave, and counts it. It reports false if ctx ends
// before.
func (p *pacer) await(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	delay := p.delay(time.Now())
	if deadline, ok := ctx.Deadline(); ok && delay > 0 && time.Until(deadline) < delay {
		return false
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	p.record(time.Now())
	return true
}
