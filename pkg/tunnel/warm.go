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

	Dump  func() (netstate.TunnelDump, error) // of the node
	Local func(netip.Addr) bool               // whether the node has an address itself; nil: only by its tunnels
	Open  Opener                              // in the node's namespace: whoever is in the one that requests leave from can answer them
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
	started := time.Now()
	if w.Memory.Quiet(w.topic(), started) {
		return Warmth{Quiet: true}, nil
	}
	unlock, err := w.lock(ctx, started)
	switch {
	case errors.Is(err, errSeenTo):
		return Warmth{Quiet: true}, nil
	case errors.Is(err, ErrBusy):
		return Warmth{}, err
	case err != nil:
		return w.blindly(ctx, err)
	}
	defer unlock()
	if w.Memory.Quiet(w.topic(), time.Now()) { // who had the lock before has seen to it
		return Warmth{Quiet: true}, nil
	}
	warmth, next, err := w.look(ctx, started)
	if err == nil && (w.Satisfied == nil || w.Satisfied(warmth)) || err != nil && w.Satisfied == nil {
		if err := w.Memory.Hush(w.topic(), time.Now(), next); err != nil {
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
