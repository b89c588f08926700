// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// passFirstPause is how long a peer is left alone after a first silence.
	passFirstPause = 30 * time.Second
	// maxRequirePause is how long at most, if answers are required: a caller that starts no
	// pod without them must not leave a node alone for minutes that may be back by now.
	maxRequirePause = 5 * time.Second
	// maxUnrecorded is how many peers a Pass probes that cannot record it.
	maxUnrecorded = 32
)

// Pass probes the peers that are due, and awaits their answers for no longer than Wait. It
// is for callers with little time: if another process has dealt with all peers, it costs
// one lstat. If another process is probing them, Pass waits for that as for answers, and
// then returns an error that wraps ErrBusy, unless it needs answers.
//
// The error says why peers could not be probed, or not recorded.
func (k *Keeper) Pass(ctx context.Context) (Result, error) {
	if k.Store == "" {
		return k.passUnrecorded(ctx, errors.New("there is no state directory"))
	}
	started := time.Now()
	key := NewSuppressionKey(k.Kinds, k.Extra, k.Require)
	if k.Store.Suppressed(key, started) {
		return Result{Suppressed: true}, nil
	}
	unlock, err := k.lockForPass(ctx, key, started)
	switch {
	case errors.Is(err, errSuppressed):
		return Result{Suppressed: true}, nil
	case errors.Is(err, ErrBusy):
		return Result{}, err
	case err != nil:
		return k.passUnrecorded(ctx, err)
	}
	defer unlock()
	if k.Store.Suppressed(key, time.Now()) { // the holder of the lock before has dealt with all
		return Result{Suppressed: true}, nil
	}
	result, next, err := k.pass(ctx, started)
	if err == nil && result.Satisfies(k.Require) || err != nil && !k.Require.NeedsAnswers() {
		if err := k.Store.Suppress(key, time.Now(), next); err != nil {
			return result, err
		}
	}
	return result, err
}

// errSuppressed says that another process has dealt with all peers.
var errSuppressed = errors.New("another process has probed the peers")

// lockForPass takes the lock. If another process has it, that process is probing the
// peers, for this caller as well. Once it has finished, only a caller goes on whose
// requirement it has not met.
func (k *Keeper) lockForPass(ctx context.Context, key SuppressionKey, started time.Time) (unlock func(), err error) {
	unlock, err = k.Store.TryLock()
	if !errors.Is(err, ErrBusy) || k.Wait <= 0 {
		return unlock, err
	}
	busy := err
	ctx, cancel := context.WithDeadline(ctx, started.Add(k.Wait))
	defer cancel()
	unlock, err = k.Store.lock(ctx, func() error {
		if k.Store.Suppressed(key, time.Now()) {
			return errSuppressed
		}
		return nil
	})
	if err == nil && !k.Require.NeedsAnswers() {
		unlock()
		return nil, busy
	}
	return unlock, err
}

// pass probes the peers that are due, and returns when the next one is. started is when
// the caller began to wait.
func (k *Keeper) pass(ctx context.Context, started time.Time) (result Result, next time.Time, err error) {
	now := time.Now()
	next = now.Add(RescanInterval)
	list, _, err := k.list()
	if err != nil {
		return Result{}, next, err
	}
	k.states, _ = k.Store.Load(now) // what cannot be read counts as missing
	k.schedule = schedule{interval: k.Interval, firstPause: passFirstPause, maxPause: k.Interval}
	if k.Require.NeedsAnswers() {
		k.schedule.maxPause = min(k.Interval, maxRequirePause)
	}
	k.peers = nil
	k.track(list)
	probed, err := k.probeDue(ctx, now, max(k.Wait-time.Since(started), silentPeerWait))
	if errors.Is(err, errNotStored) {
		result, err = k.passUnrecorded(ctx, err)
		return result, next, err
	}
	result, _ = k.result(k.Kinds, time.Now())
	result.Probed = probed
	if err != nil {
		return result, next, err
	}
	for _, p := range k.peers {
		if p.next.Before(next) {
			next = p.next
		}
	}
	if free := k.states.Budget.freeAt(); next.Before(free) {
		next = free
	}
	return result, next, nil
}

// probeDue probes the peers that are due, within a time, if the budget has room by then.
// It returns how many they are.
func (k *Keeper) probeDue(ctx context.Context, now time.Time, within time.Duration) (int, error) {
	due := k.due(now, k.Max)
	netns := ownNetns()
	moved := k.states.Netns != netns
	k.states.Netns = netns
	if len(due.peers) == 0 || k.states.Budget.freeAt().After(now.Add(within)) {
		if moved {
			return 0, k.Store.Save(k.states)
		}
		return 0, nil
	}
	opt := ProbeOptions{Wait: k.Wait, RetryAfter: k.Wait / 2, Within: within, Opportunistic: due.silent}
	if due.silent == len(due.peers) {
		opt.Wait, opt.RetryAfter, opt.Within = min(k.Wait, silentPeerWait), 0, 2*silentPeerWait
	}
	_, err := k.probe(ctx, k.Store, due.peers, opt)
	return len(due.peers), err
}

// passUnrecorded probes a few peers, and awaits no answer: without a store it is
// unknown which peers were probed already, and whether another process is probing them now;
// and many pods may start at once.
func (k *Keeper) passUnrecorded(ctx context.Context, cause error) (Result, error) {
	peers, _, err := k.list()
	if err != nil {
		return Result{}, errors.Join(cause, err)
	}
	result := Result{Peers: len(peers)}
	if len(peers) == 0 {
		return result, nil
	}
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	peers = peers[:min(len(peers), maxUnrecorded)]
	probes, err := Probe(ctx, k.Open, peers, ProbeOptions{Within: 10 * silentPeerWait})
	if err != nil {
		return result, errors.Join(cause, err)
	}
	for _, r := range probes {
		if r.Sent > 0 {
			result.Probed++
		}
	}
	return result, fmt.Errorf("%w; %d of %d peers, picked at random, were probed, and no answer was awaited", cause, result.Probed, result.Peers)
}
