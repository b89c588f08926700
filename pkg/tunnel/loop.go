// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// The operations of Run and ProbeAll that can fail, as they are logged: "cannot …".
const (
	OpList      = "list the peers"
	OpProbe     = "probe all peers"
	OpStore     = "record probes"
	opSubscribe = "subscribe to routes"
	opSuppress  = "suppress the probes of ADDs"
)

// A loopState is what Run remembers besides the peers.
type loopState struct {
	errors       map[string]string // by operation
	tunnels      map[int]bool      // indexes of tunnel devices
	listed       time.Time         // when the peers were listed last
	listAt       time.Time         // when they are listed next
	renewed      time.Time         // when the last batch of peers left that were probed before
	suppressed   time.Time         // when the suppression was renewed last
	servesPlugin bool              // the store is that of ADDs in this namespace
}

// How Run paces itself.
const (
	settleTime      = 20 * time.Millisecond  // routes change in bursts
	minListGap      = 200 * time.Millisecond // between two lists while routes flap
	otherListGap    = time.Second            // the same for routes over a device that was no tunnel
	suppressEvery   = RescanInterval / 3
	minSuppressGap  = time.Second     // while routes flap
	renewGap        = 5 * time.Second // between two batches that are not urgent
	lockWait        = 2 * time.Second // longer than any ADD holds the lock
	maxProbeTime    = time.Minute     // for a device that accepts no packets
	runFirstPause   = 5 * time.Second // after a first silence
	maxUrgentBatch  = 1000
	maxRenewalBatch = 200
)

// Run keeps all peers warm until ctx ends. It probes a new peer as soon as its route
// appears. No error of the kernel or of the disk ends it.
func (k *Keeper) Run(ctx context.Context) {
	k.start()
	changes := k.subscribe(ctx)
	for ctx.Err() == nil {
		now := time.Now()
		if !now.Before(k.loop.listAt) {
			if changes == nil {
				changes = k.subscribe(ctx)
			}
			k.relist(now)
		}
		k.boundDueTimes(now)
		if k.probeNext(ctx) || time.Since(k.loop.suppressed) >= minSuppressGap {
			k.suppress(time.Now())
		}
		timer := time.NewTimer(time.Until(k.wakeAt(time.Now())))
		select {
		case change, ok := <-changes:
			if !ok {
				changes = nil // the next list subscribes again
			}
			k.routeChanged(change, time.Now())
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// ProbeAll probes every peer once, and returns the results in no particular order.
func (k *Keeper) ProbeAll(ctx context.Context) []ProbeResult {
	k.start()
	k.relist(time.Now())
	for _, p := range k.peers {
		p.next = time.Time{}
	}
	var results []ProbeResult
	for ctx.Err() == nil {
		due := k.due(time.Now(), maxUrgentBatch)
		if due.urgent == 0 {
			break
		}
		results = append(results, k.probeBatch(ctx, due.peers[:due.urgent])...)
	}
	k.suppress(time.Now())
	return results
}

// Errors returns the last error of each operation that fails at the moment: OpList and
// OpProbe, and others that are no reason to doubt the results.
func (k *Keeper) Errors() map[string]string { return k.loop.errors }

func (k *Keeper) start() {
	margin := min(renewGap, k.Interval/8) // a batch may have to wait for the one before
	k.schedule = schedule{interval: k.Interval, firstPause: runFirstPause, maxPause: k.Interval - margin, margin: margin}
	k.peers, k.loop = nil, loopState{errors: map[string]string{}}
	k.states, _ = k.Store.Load(time.Now())
}

// subscribe returns nil if the kernel reports no changes. Then the peers are listed every
// RescanInterval.
func (k *Keeper) subscribe(ctx context.Context) <-chan netstate.RouteChange {
	changes, err := k.Watch(ctx)
	k.logError(opSubscribe, err)
	if err != nil {
		return nil
	}
	k.loop.listAt = time.Time{} // earlier changes are not reported
	return changes
}

// routeChanged decides when the peers are listed after a change. Pods come and go with a
// route each, which are over no tunnel.
func (k *Keeper) routeChanged(change netstate.RouteChange, now time.Time) {
	gap := otherListGap
	if change.Resync || k.loop.tunnels[change.Route.Link] {
		gap = minListGap
	}
	at := now.Add(settleTime)
	if earliest := k.loop.listed.Add(gap); earliest.After(at) {
		at = earliest
	}
	if at.Before(k.loop.listAt) {
		k.loop.listAt = at
	}
}

// relist lists the peers again. A new one is due at once, unless another process has
// probed it already.
func (k *Keeper) relist(now time.Time) {
	k.loop.listed, k.loop.listAt = now, now.Add(RescanInterval)
	peers, dump, err := k.list()
	k.logError(OpList, err)
	if err != nil {
		return // the known ones are kept warm
	}
	k.loop.tunnels = make(map[int]bool, len(dump.Links))
	for _, link := range dump.Links {
		k.loop.tunnels[link.Index] = true
	}
	k.load(now)
	appeared, gone := k.track(peers)
	k.logPeers("peers appeared", appeared)
	k.logPeers("peers are gone", gone)
	if len(k.peers) == 0 {
		k.logError(OpProbe, nil)
	}
}

// load reads the states, unless they cannot be shared: then those here are newer.
func (k *Keeper) load(now time.Time) {
	states, err := k.Store.Load(now)
	if err == nil {
		k.states = states
	} else {
		k.states.Peers = k.states.latest(maxStoredPeers)
	}
	k.loop.servesPlugin = states.Netns != "" && states.Netns == ownNetns()
}

// boundDueTimes makes sure that after the clock was set back no peer waits for longer
// than the interval.
func (k *Keeper) boundDueTimes(now time.Time) {
	latest := now.Round(0).Add(k.Interval)
	for _, p := range k.peers {
		if p.next.After(latest) {
			p.next = latest
		}
	}
}

// probeNext probes a batch: urgent peers at once, the others in batches with some seconds
// between them. It reports whether there was any.
func (k *Keeper) probeNext(ctx context.Context) bool {
	now := time.Now()
	due := k.due(now, maxUrgentBatch)
	peers := due.peers[:due.urgent]
	if due.urgent == 0 {
		if now.Before(k.loop.renewed.Add(renewGap)) {
			return false
		}
		peers = due.peers[:min(len(due.peers), maxRenewalBatch)]
		if len(peers) < maxRenewalBatch { // the next batch follows a full one at once
			k.loop.renewed = now
		}
	}
	if len(peers) > 0 {
		k.probeBatch(ctx, peers)
	}
	return len(peers) > 0
}

// probeBatch probes peers, and logs what has changed. If the probes cannot be recorded,
// they are sent all the same: a node has one Keeper that runs.
func (k *Keeper) probeBatch(ctx context.Context, peers []*trackedPeer) []ProbeResult {
	before := make([]PeerState, len(peers))
	for i, p := range peers {
		before[i] = p.state
	}
	bounded, cancel := context.WithTimeout(ctx, maxProbeTime)
	defer cancel()
	opt := ProbeOptions{Wait: k.Wait, RetryAfter: k.Wait / 2}
	results, err := k.probeLocked(bounded, peers, opt)
	var notStored error
	if errors.Is(err, errNotStored) && ctx.Err() == nil {
		notStored = err
		results, err = k.probe(bounded, "", peers, opt)
	}
	if ctx.Err() != nil {
		return results // errors are due to the end
	}
	k.logError(OpStore, notStored)
	k.logError(OpProbe, err)
	changed := map[State][]netip.Addr{}
	for i, r := range results {
		known := !before[i].LastProbe.IsZero()
		switch {
		case r.wasNotProbed():
			peers[i].next = time.Now().Round(0).Add(runFirstPause)
		case r.State.Confirms() && known && before[i].Misses > 0, !r.State.Confirms() && (!known || before[i].State != r.State):
			changed[r.State] = append(changed[r.State], r.Peer.Probed)
		}
	}
	k.logPeers("peers answer", changed[Answered])
	k.logPeers("peers answer the second request only", changed[Retried])
	k.logPeers("peers are silent", changed[Silent])
	k.logPeers("peers are unreachable", changed[Unreachable])
	return results
}

func (k *Keeper) probeLocked(ctx context.Context, peers []*trackedPeer, opt ProbeOptions) ([]ProbeResult, error) {
	locking, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := k.Store.lock(locking, nil)
	if err != nil {
		return nil, errors.Join(errNotStored, err)
	}
	defer unlock()
	k.load(time.Now())
	return k.probe(ctx, k.Store, peers, opt)
}

// suppress makes ADDs do nothing as long as this Keeper deals with all peers that they
// may want: those of all kinds, or of one kind. ADDs in another namespace have other
// peers.
func (k *Keeper) suppress(now time.Time) {
	if !k.loop.servesPlugin || k.loop.errors[OpList] != "" || k.loop.errors[OpProbe] != "" {
		return
	}
	k.loop.suppressed = now
	wanted := [][]string{k.Kinds}
	if len(k.Kinds) > 1 {
		for _, kind := range k.Kinds {
			wanted = append(wanted, []string{kind})
		}
	}
	for _, kinds := range wanted {
		if err := k.suppressKinds(kinds, now); err != nil {
			k.logError(opSuppress, err)
			return
		}
	}
	k.logError(opSuppress, nil)
}

// suppressKinds does so for ADDs that want some kinds, unless they require answers that
// are missing.
func (k *Keeper) suppressKinds(kinds []string, now time.Time) error {
	result, complete := k.result(kinds, now)
	if !complete {
		return nil
	}
	for _, require := range []Require{RequireNone, RequireAny, RequireAll} {
		key := NewSuppressionKey(kinds, k.Extra, require)
		var err error
		if result.Satisfies(require) {
			err = k.Store.Suppress(key, now, now.Add(RescanInterval))
		} else {
			err = k.Store.Unsuppress(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wakeAt returns when there is something to do.
func (k *Keeper) wakeAt(now time.Time) time.Time {
	at := now.Add(suppressEvery)
	if k.loop.listAt.Before(at) {
		at = k.loop.listAt
	}
	for _, p := range k.peers {
		next := p.next
		if renew := k.loop.renewed.Add(renewGap); !next.IsZero() && next.Before(renew) {
			next = renew
		}
		if next.Before(at) {
			at = next
		}
	}
	return at
}

// logError logs the error of an operation when it appears, changes or ends.
func (k *Keeper) logError(operation string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	switch before := k.loop.errors[operation]; {
	case text == before:
	case text == "":
		delete(k.loop.errors, operation)
		k.Log.Info("can again " + operation)
	default:
		k.loop.errors[operation] = text
		k.Log.Warn("cannot "+operation, "error", text)
	}
}

// logPeers logs addresses; of many only the first.
func (k *Keeper) logPeers(what string, addrs []netip.Addr) {
	const named = 10
	if len(addrs) == 0 {
		return
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	k.Log.Info(what, "count", len(addrs), "all", len(k.peers), "first", addrs[:min(len(addrs), named)])
}
