// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// askDue asks a batch of those that are due: newcomers at once, the others in
// batches that are some seconds apart. It reports whether there was anybody to ask.
func (k *Keeper) askDue(ctx context.Context) bool {
	now := time.Now()
	batch := k.batch(now)
	if len(batch) == 0 || !batch[0].next.IsZero() && now.Before(k.renewed.Add(renewGap)) {
		return false
	}
	if !batch[0].next.IsZero() && len(batch) < renewBatch {
		k.renewed = now // a full batch is followed by the next one at once
	}
	k.ask(ctx, batch)
	return true
}

// batch gives newcomers, or else those that are due for longest.
func (k *Keeper) batch(now time.Time) []*kept {
	var fresh, due []*kept
	for _, p := range k.peers {
		switch {
		case p.next.IsZero():
			fresh = append(fresh, p)
		case !p.next.After(now):
			due = append(due, p)
		}
	}
	if len(fresh) > 0 {
		return fresh[:min(len(fresh), newBatch)]
	}
	slices.SortFunc(due, func(a, b *kept) int { return a.next.Compare(b.next) })
	return due[:min(len(due), renewBatch)]
}

// ask asks a batch. Where nothing can be written down it asks all the same: there
// is one keeper on a node, and it remembers by itself.
func (k *Keeper) ask(ctx context.Context, batch []*kept) []Answer {
	peers := make([]Peer, len(batch))
	for i, p := range batch {
		peers[i] = p.peer
	}
	opt := ProbeOptions{Wait: keepWait, RetryAfter: keepWait / 2}
	bounded, cancel := context.WithTimeout(ctx, time.Minute) // a device that takes no packets
	defer cancel()
	answers, err := k.askLocked(bounded, peers, opt)
	if ctx.Err() != nil {
		return answers // that we end is no trouble
	}
	forgetful := err
	if errors.Is(err, errForgetful) {
		opt.Spent = k.spent
		answers, err = Probe(bounded, k.Open, peers, opt)
		k.spent = k.spent.and(packets(answers), time.Now())
	} else {
		forgetful = nil
	}
	k.had("remember peers", forgetful)
	k.had("ask all peers", err)
	k.learn(batch, answers, time.Now())
	return answers
}

func (k *Keeper) askLocked(ctx context.Context, peers []Peer, opt ProbeOptions) ([]Answer, error) {
	lock, cancel := context.WithTimeout(ctx, keepLock)
	defer cancel()
	unlock, err := k.Memory.LockWithin(lock)
	if err != nil {
		return nil, errors.Join(errForgetful, err)
	}
	defer unlock()
	now := time.Now()
	known, _ := k.Memory.Load(now)
	k.ours = known.of(ownNetns())
	return k.Memory.ask(ctx, k.Open, &known, peers, opt, now)
}

// learn notes the answers and logs who has changed its mind.
func (k *Keeper) learn(batch []*kept, answers []Answer, now time.Time) {
	now = now.Round(0)
	changed := map[State][]netip.Addr{}
	for i, a := range answers {
		p := batch[i]
		if a.unasked() {
			p.next = now.Add(soon)
			continue
		}
		before := p.record
		p.record = before.asked(p.peer, now).heard(a, now)
		p.next = k.after(before, p.record)
		known := !before.Asked.IsZero()
		if a.State.Confirms() && known && before.Misses > 0 || !a.State.Confirms() && (!known || before.State != a.State) {
			changed[a.State] = append(changed[a.State], a.Peer.Probed)
		}
	}
	k.report("peers answer", changed[Answered])
	k.report("peers answer when asked twice", changed[Retried])
	k.report("peers are silent", changed[Silent])
	k.report("peers are unreachable", changed[Unreachable])
}
