// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A Warmer keeps peers warm on behalf of those who have little time: one look at
// what others did, requests only to who needs one, and a bounded wait.
type Warmer struct {
	Memory   Memory // "": there is none
	Kinds    []string
	Extra    []netip.Addr  // further addresses to ask
	Interval time.Duration // how long an answer counts
	Wait     time.Duration // for answers
	Max      int           // peers to ask in one go; 0: all
	// Demands is what the caller makes of the answers, if that is more than
	// nothing: then all is quiet only when Satisfied says so.
	Demands   string
	Satisfied func(Warmth) bool

	Dump func() (netstate.TunnelDump, error) // of the node
	Open Opener                              // in the namespace that the requests leave from
	// Again is where the retry leaves from; nil: the same. For a new sandbox that is
	// the node: a network plugin may let the pod out only a moment after its ADD.
	Again Opener
}

// What a look costs at most where there is little to expect.
const (
	grace    = 20 * time.Millisecond // for the answers of those who were silent before
	maxBlind = 32                    // peers to ask without a memory
)

// Warm looks, and asks who is to be asked. The error says why that could not be
// done, or not well; whoever asks the peers already is an error that wraps ErrBusy.
func (w *Warmer) Warm(ctx context.Context) (Warmth, error) {
	if w.Memory == "" {
		return w.blindly(ctx, errors.New("there is no state folder"))
	}
	now := time.Now()
	if w.Memory.Quiet(w.topic(), now) {
		return Warmth{Quiet: true}, nil
	}
	unlock, err := w.Memory.Lock()
	switch {
	case errors.Is(err, ErrBusy):
		return Warmth{}, err
	case err != nil:
		return w.blindly(ctx, err)
	}
	defer unlock()
	if w.Memory.Quiet(w.topic(), now) { // who had the lock before has seen to it
		return Warmth{Quiet: true}, nil
	}
	warmth, next, err := w.look(ctx, now)
	if err == nil && (w.Satisfied == nil || w.Satisfied(warmth)) || err != nil && w.Satisfied == nil {
		if err := w.Memory.Hush(w.topic(), now, next); err != nil {
			return warmth, err
		}
	}
	return warmth, err
}

// topic names what this warmer wants, whoever else wants the same.
func (w *Warmer) topic() string {
	return Topic(w.Kinds, w.Extra, w.Demands)
}

// Topic names what is wanted for Memory.Quiet: by kinds, further addresses and
// demands, in any order.
func Topic(kinds []string, extra []netip.Addr, demands string) string {
	kinds = slices.Sorted(slices.Values(kinds))
	extra = slices.SortedFunc(slices.Values(extra), netip.Addr.Compare)
	return fmt.Sprint(strings.Join(kinds, ","), extra, demands)
}

// look enumerates the peers and asks who is due. It gives when to look again.
func (w *Warmer) look(ctx context.Context, now time.Time) (warmth Warmth, next time.Time, err error) {
	later := now.Add(LookAgain)
	peers, err := w.peers()
	if err != nil {
		return Warmth{}, later, err
	}
	known, _ := w.Memory.Load(now) // what cannot be read was never written
	s := known.choose(peers, now, w.Interval, w.Max)
	if len(s.peers) > 0 {
		if err = w.ask(ctx, &known, s, now); errors.Is(err, errForgetful) {
			warmth, err = w.blindly(ctx, err)
			return warmth, later, err
		}
		s.next = known.choose(peers, now, w.Interval, 1).nextDue(now, later)
	}
	warmth = known.warmth(peers, time.Now(), w.Interval)
	warmth.Asked = len(s.peers)
	if s.next.IsZero() || err != nil {
		s.next = later
	}
	return warmth, s.next, err
}

// nextDue gives when the next look has somebody to ask.
func (s selection) nextDue(now, later time.Time) time.Time {
	switch {
	case len(s.peers) > 0:
		return now
	case s.next.IsZero():
		return later
	}
	return s.next
}

// errForgetful says that what is done cannot be written down.
var errForgetful = errors.New("what is asked cannot be written down")

// ask asks the peers of a selection. The dump that found them counts as waiting.
func (w *Warmer) ask(ctx context.Context, known *Known, s selection, now time.Time) error {
	opt := ProbeOptions{Wait: w.Wait, Within: max(w.Wait-time.Since(now), grace), Retry: s.wait, Again: w.Again}
	if !s.wait {
		opt.Wait = min(w.Wait, grace)
	}
	_, err := w.Memory.ask(ctx, w.Open, known, s.peers, opt, now)
	return err
}

// ask asks peers, and writes down that it will, and then what came of it. The
// caller holds the lock.
func (m Memory) ask(ctx context.Context, open Opener, known *Known, peers []Peer, opt ProbeOptions, now time.Time) ([]Answer, error) {
	before := known.before(peers)
	opt.Spent = known.Spent
	known.asking(peers, now)
	if err := m.Save(*known); err != nil {
		return nil, fmt.Errorf("%w: %w", errForgetful, err)
	}
	answers, err := Probe(ctx, open, peers, opt)
	after := time.Now()
	known.learn(answers, before, after)
	known.Spent = opt.Spent.and(packets(answers), after)
	if err == nil {
		err = notAsked(answers)
	}
	return answers, errors.Join(err, m.Save(*known))
}

// notAsked tells of peers that could not be asked, for a reason of this node.
func notAsked(answers []Answer) error {
	count, why := 0, ""
	for _, a := range answers {
		if a.State == Unprobed && a.Why != noTime {
			count, why = count+1, a.Why
		}
	}
	if count == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d peers could not be asked: %s", count, len(answers), why)
}

// peers gives who is to be kept warm.
func (w *Warmer) peers() ([]Peer, error) {
	dump, err := w.Dump()
	if err != nil {
		return nil, err
	}
	return Select(Enumerate(dump), w.Kinds, w.Extra), nil
}
