// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Keeper keeps all peers warm for as long as it runs, and warms a new peer the
// moment its route appears. Requests are spread over the interval, each peer's by
// chance, so that nodes that started together do not ask together for ever.
type Keeper struct {
	Memory   Memory
	Kinds    []string
	Extra    []netip.Addr
	Interval time.Duration         // between two requests to a peer that answers, at most
	Local    func(netip.Addr) bool // see Warmer

	Dump  func() (netstate.TunnelDump, error)
	Watch func(context.Context) (<-chan netstate.RouteChange, error)
	Open  Opener
	Log   *slog.Logger // of changes, and nothing else

	peers   map[netip.Addr]*kept
	tunnels map[int]bool // indices of tunnel devices
	looked  time.Time    // the last dump
	lookAt  time.Time    // the next one
	renewed time.Time    // the last batch of peers that were asked before
	hushed  time.Time    // the last time that the others were told
	ours    bool         // the memory is that of this namespace
	spent   Spent        // where nothing can be written down
	trouble map[string]string
}

// kept is a peer with what is known of it here.
type kept struct {
	peer   Peer
	record Record
	// next is when it is to be asked; the zero Time: at once. It has no monotonic
	// part: while the machine is suspended the other ends forget us all the same.
	next time.Time
	gone bool
}

// How the keeper paces itself.
const (
	settle   = 20 * time.Millisecond  // routes come in flocks
	lookGap  = 200 * time.Millisecond // between two dumps, while routes flap
	otherGap = time.Second            // the same, for routes that are over no tunnel as far as we know
	refresh  = LookAgain / 3          // the others are told that all is quiet
	hushGap  = time.Second            // the same, while routes flap
	renewGap = 5 * time.Second        // between two batches that are not urgent
	keepWait = 500 * time.Millisecond // for answers
	keepLock = 2 * time.Second        // more than any ADD holds the lock
	soon     = 5 * time.Second        // a peer that is silent is asked again; twice as long each time

	newBatch   = 1000 // peers that were never asked, in one go
	renewBatch = 200  // others
)

// Run runs until ctx ends. Nothing that the kernel or the disk does ends it.
func (k *Keeper) Run(ctx context.Context) {
	k.peers, k.trouble = map[netip.Addr]*kept{}, map[string]string{}
	changes := k.subscribe(ctx)
	for ctx.Err() == nil {
		now := time.Now()
		if !now.Before(k.lookAt) {
			if changes == nil {
				changes = k.subscribe(ctx)
			}
			k.look(now)
		}
		k.clamp(now)
		if k.askDue(ctx) || k.mayHush(time.Now()) {
			k.hush(time.Now())
		}
		timer := time.NewTimer(time.Until(k.wakeAt(time.Now())))
		select {
		case change, ok := <-changes:
			if !ok {
				changes = nil // and tried again with the next look
			}
			k.noticed(change, time.Now())
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// Once asks everybody once and gives what came of it, in no order.
func (k *Keeper) Once(ctx context.Context) []Answer {
	k.peers, k.trouble = map[netip.Addr]*kept{}, map[string]string{}
	k.look(time.Now())
	var answers []Answer
	for _, p := range k.peers {
		p.next = time.Time{}
	}
	for ctx.Err() == nil {
		batch := k.batch(time.Now())
		if len(batch) == 0 {
			break
		}
		answers = append(answers, k.ask(ctx, batch)...)
	}
	k.hush(time.Now())
	return answers
}

// Trouble gives what stood in the way last, by what was tried.
func (k *Keeper) Trouble() map[string]string { return k.trouble }

// subscribe gives nil where the kernel does not tell: then looking now and again
// must do.
func (k *Keeper) subscribe(ctx context.Context) <-chan netstate.RouteChange {
	changes, err := k.Watch(ctx)
	k.had("subscribe to routes", err)
	if err != nil {
		return nil
	}
	k.lookAt = time.Time{} // what changed before is not told
	return changes
}

// noticed decides when a change is worth a dump. Pods come and go with a route
// each, which are over no tunnel.
func (k *Keeper) noticed(change netstate.RouteChange, now time.Time) {
	gap := otherGap
	if change.Resync || k.tunnels[change.Route.Link] {
		gap = lookGap
	}
	at := now.Add(settle)
	if earliest := k.looked.Add(gap); earliest.After(at) {
		at = earliest
	}
	if at.Before(k.lookAt) {
		k.lookAt = at
	}
}

// wakeAt gives when there is something to do.
func (k *Keeper) wakeAt(now time.Time) time.Time {
	at := now.Add(refresh)
	if k.lookAt.Before(at) {
		at = k.lookAt
	}
	for _, p := range k.peers {
		next := p.next
		if renew := k.renewed.Add(renewGap); !next.IsZero() && next.Before(renew) {
			next = renew
		}
		if next.Before(at) {
			at = next
		}
	}
	return at
}

// had logs a trouble when it comes, changes or goes.
func (k *Keeper) had(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch before := k.trouble[what]; {
	case text == before:
	case text == "":
		delete(k.trouble, what)
		k.Log.Info("can again " + what)
	default:
		k.trouble[what] = text
		k.Log.Warn("cannot "+what, "error", text)
	}
}
