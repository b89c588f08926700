// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// look enumerates the peers and asks who is due. It gives when to look again.
// started is when the caller began to wait.
func (w *Warmer) look(ctx context.Context, started time.Time) (warmth Warmth, next time.Time, err error) {
	now := time.Now()
	later := now.Add(LookAgain)
	peers, err := w.peers()
	if err != nil {
		return Warmth{}, later, err
	}
	peers = askable(peers)
	known, _ := w.Memory.Load(now) // what cannot be read was never written
	asked, err := w.ask(ctx, &known, peers, now, max(w.Wait-time.Since(started), grace))
	if errors.Is(err, errForgetful) {
		warmth, err = w.blindly(ctx, err)
		return warmth, later, err
	}
	warmth = known.warmth(peers, time.Now(), w.Interval)
	warmth.Asked = asked
	if err != nil {
		return warmth, later, err
	}
	next = known.nextDue(peers, w.terms(), later)
	if free := known.Spent.free(); next.Before(free) {
		next = free
	}
	return warmth, next, nil
}

// terms are those of the caller. Who lets no pod start without an answer must not
// leave a node alone for minutes that may be back by now.
func (w *Warmer) terms() terms {
	t := terms{interval: w.Interval, pause: w.Interval}
	if w.Demands != "" {
		t.pause = min(t.pause, soon)
	}
	return t
}

// errForgetful says that what is done cannot be written down.
var errForgetful = errors.New("what is asked cannot be written down")

// ask asks those that are due, within a time, if the pace has room by then. It gives
// how many that are.
func (w *Warmer) ask(ctx context.Context, known *Known, peers []Peer, now time.Time, within time.Duration) (int, error) {
	s := known.choose(peers, now, w.terms(), w.Max)
	own := ownNetns()
	moved := known.Netns != own
	known.Netns = own
	if len(s.peers) == 0 || known.Spent.free().After(now.Add(within)) {
		if moved {
			return 0, w.Memory.Save(*known)
		}
		return 0, nil
	}
	opt := ProbeOptions{Wait: w.Wait, Within: within, RetryAfter: w.Wait / 2, Passing: s.passing}
	if s.passing == len(s.peers) {
		opt.Wait, opt.Within = min(w.Wait, grace), 2*grace
	}
	_, err := w.Memory.ask(ctx, w.Open, known, s.peers, opt, now)
	return len(s.peers), err
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
		if a.unasked() && a.Why != noTime {
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
	var dump netstate.TunnelDump
	if len(w.Kinds) > 0 {
		var err error
		if dump, err = w.Dump(); err != nil {
			return nil, err
		}
	}
	return Select(Enumerate(dump), w.Kinds, others(w.Extra, dump, w.Local)), nil
}
