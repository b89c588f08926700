// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Keeper keeps the peers of a node's tunnels warm: in one bounded pass (Pass), by
// probing each of them now (ProbeAll), or for as long as it runs (Run).
type Keeper struct {
	Store    PeerStore     // "": there is none
	Kinds    []string      // of the tunnels whose peers are kept warm
	Extra    []netip.Addr  // further addresses to probe
	Interval time.Duration // Pass: how long an answer counts; Run: between two probes of a peer that answers, at most
	Wait     time.Duration // for answers; half of it before a retry. Zero: none is awaited
	Max      int           // Pass: peers to probe at most; zero: all
	Require  Require       // Pass: whose answer the caller needs

	Dump  func() (netstate.TunnelDump, error)                        // of the node
	Local func(netip.Addr) bool                                      // whether the node has an address; nil: only its tunnels' are known
	Open  Opener                                                     // in the namespace of the node: a container could answer what leaves from its own
	Watch func(context.Context) (<-chan netstate.RouteChange, error) // Run: reports changes of routes
	Log   *slog.Logger                                               // Run and ProbeAll: changes, and nothing else

	schedule schedule
	peers    []*trackedPeer // in the order of their routes
	states   PeerStates     // as last loaded from the store, or kept here if that fails
	loop     loopState
}

// A trackedPeer is a peer with its state.
type trackedPeer struct {
	peer  Peer
	state PeerState
	next  time.Time // when it is due; the zero Time: at once
}

// Require says whose answer a caller of Pass needs. The zero Require is RequireNone.
type Require string

const (
	RequireNone Require = "none" // no peer's
	RequireAny  Require = "any"  // that of one peer
	RequireAll  Require = "all"  // that of all peers
)

// NeedsAnswers reports whether any answer is required.
func (r Require) NeedsAnswers() bool { return r == RequireAny || r == RequireAll }

// A Result is what is known after a Pass.
type Result struct {
	Suppressed bool // nothing needed to be done, and the other fields are zero
	Peers      int  // peers that can be probed
	Answered   int  // peers that answered the last probe, not too long ago
	Probed     int  // peers that were probed just now
	Cold       []ColdPeer
}

// A ColdPeer is a peer that did not answer its last probe, although that was awaited.
type ColdPeer struct {
	Peer Peer
	PeerState
}

// Satisfies reports whether those have answered whose answer is required. A node without
// peers has none to wait for.
func (r Result) Satisfies(require Require) bool {
	switch require {
	case RequireAny:
		return r.Answered > 0 || r.Peers == 0
	case RequireAll:
		return r.Answered == r.Peers
	}
	return true
}

// Select returns the peers of a table that are behind devices of some kinds, and a peer
// with nothing but an address for each further address.
func Select(table Table, kinds []string, extra []netip.Addr) []Peer {
	var peers []Peer
	for _, p := range table.Peers {
		if slices.Contains(kinds, p.Kind) {
			peers = append(peers, p)
		}
	}
	for _, addr := range extra {
		if !slices.ContainsFunc(peers, func(p Peer) bool { return p.Probed == addr }) {
			peers = append(peers, Peer{Probed: addr})
		}
	}
	return peers
}

// list returns the peers that can be probed, one for each probed address, and the dump
// that they come from.
func (k *Keeper) list() ([]Peer, netstate.TunnelDump, error) {
	var dump netstate.TunnelDump
	if len(k.Kinds) > 0 {
		var err error
		if dump, err = k.Dump(); err != nil {
			return nil, dump, err
		}
	}
	extra := slices.DeleteFunc(slices.Clone(k.Extra), func(addr netip.Addr) bool { // those of this node always answer
		return addr.IsLoopback() || k.Local != nil && k.Local(addr) || slices.ContainsFunc(dump.Links, func(l netstate.TunnelLink) bool {
			return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
		})
	})
	seen := map[netip.Addr]bool{}
	peers := slices.DeleteFunc(Select(Enumerate(dump), k.Kinds, extra), func(p Peer) bool {
		skip := !p.Probed.IsValid() || seen[p.Probed]
		seen[p.Probed] = true
		return skip
	})
	return peers, dump, nil
}

// track replaces the peers by those of a new list, and keeps what is known of them.
func (k *Keeper) track(peers []Peer) (appeared, gone []netip.Addr) {
	before := make(map[netip.Addr]*trackedPeer, len(k.peers))
	for _, p := range k.peers {
		before[p.peer.Probed] = p
	}
	k.peers = make([]*trackedPeer, 0, len(peers))
	for _, peer := range peers {
		p := before[peer.Probed]
		delete(before, peer.Probed)
		if p == nil || !p.state.mayBeOf(peer) { // another node has the address now
			p = &trackedPeer{state: k.states.Of(peer)}
			p.next = k.schedule.next(p.state, p.state)
			appeared = append(appeared, peer.Probed)
		}
		p.peer = peer
		k.peers = append(k.peers, p)
	}
	for addr := range before {
		gone = append(gone, addr)
	}
	return appeared, gone
}

// A batch is peers to probe together.
type batch struct {
	peers  []*trackedPeer
	urgent int // so many of them, the first ones, are due at once
	silent int // so many of them, the last ones, were silent the last time
}

// due returns the peers that are due, at most so many (zero: all): first those that are
// due at once, then those that answered the last time, then those that did not. Within
// these it starts with a peer picked at random: nodes that cannot probe all peers must not
// all probe the same ones.
func (k *Keeper) due(now time.Time, most int) batch {
	if len(k.peers) == 0 {
		return batch{}
	}
	var urgent, answered, silent []*trackedPeer
	start := rand.IntN(len(k.peers))
	for _, p := range slices.Concat(k.peers[start:], k.peers[:start]) {
		switch {
		case p.next.IsZero():
			urgent = append(urgent, p)
		case p.next.After(now):
		case p.state.Misses == 0:
			answered = append(answered, p)
		default:
			silent = append(silent, p)
		}
	}
	all := slices.Concat(urgent, answered, silent)
	if most > 0 {
		all = all[:min(len(all), most)]
	}
	return batch{peers: all, urgent: min(len(urgent), len(all)), silent: max(0, len(all)-len(urgent)-len(answered))}
}

// errNotStored says that what is sent cannot be recorded for other processes.
var errNotStored = errors.New("probes cannot be recorded")

// probe probes peers and updates the states. It saves them twice: before, because if this
// process is killed the next one must not probe everybody again, and after. The caller
// holds the lock of the store; "" is none, and then nothing is saved. If the first save
// fails, nothing is sent, and the error wraps errNotStored.
func (k *Keeper) probe(ctx context.Context, store PeerStore, peers []*trackedPeer, opt ProbeOptions) ([]ProbeResult, error) {
	list := make([]Peer, len(peers))
	for i, p := range peers {
		list[i] = p.peer
	}
	save := func() error {
		if store == "" {
			return nil
		}
		return store.Save(k.states)
	}
	before := k.states.stored(list)
	opt.Budget = k.states.Budget
	k.states.markProbed(list, time.Now())
	if err := save(); err != nil {
		for _, p := range list {
			k.states.restore(p.Probed, before)
		}
		k.states.Budget = opt.Budget
		return nil, fmt.Errorf("%w: %w", errNotStored, err)
	}
	results, err := Probe(ctx, k.Open, list, opt)
	now := time.Now()
	k.states.record(results, before, now)
	k.states.Budget = opt.Budget.spend(packetsOf(results), now)
	for _, p := range peers {
		old := p.state
		p.state = k.states.Of(p.peer)
		p.next = k.schedule.next(old, p.state)
	}
	if err == nil {
		err = notProbedError(results)
	}
	return results, errors.Join(err, save())
}

// result sums up the state of the peers of some kinds. It is not complete if one of them
// was never probed.
func (k *Keeper) result(kinds []string, now time.Time) (r Result, complete bool) {
	complete = true
	for _, p := range k.peers {
		if p.peer.Kind != "" && !slices.Contains(kinds, p.peer.Kind) {
			continue
		}
		r.Peers++
		if p.state.answered(now, k.Interval) {
			r.Answered++
		} else if p.state.Misses > 0 {
			r.Cold = append(r.Cold, ColdPeer{Peer: p.peer, PeerState: p.state})
		}
		complete = complete && !p.state.LastProbe.IsZero()
	}
	return r, complete
}

// ownNetns identifies the network namespace of this process among those that exist now:
// by device and inode. It is "" if that cannot be read.
func ownNetns() string {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}
