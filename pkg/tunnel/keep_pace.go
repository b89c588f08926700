// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"math/rand/v2"
	"time"
)

// after gives when a peer is to be asked next: within the last quarter of the
// interval, by chance, and early enough for a batch that has to wait. Those that
// were never asked before are spread over the whole of it.
func (k *Keeper) after(before, r Record) time.Time {
	most := k.Interval - min(renewGap, k.Interval/8)
	switch {
	case r.Asked.IsZero():
		return time.Time{}
	case r.Misses > 0:
		pause := min(r.pause(soon, k.Interval), most)
		return r.Asked.Add(between(pause*3/4, pause))
	case before.Confirmed.IsZero():
		return r.Asked.Add(between(0, most))
	}
	return r.Asked.Add(between(k.Interval*3/4, most))
}

// between gives a duration from least to most, by chance.
func between(least, most time.Duration) time.Duration {
	return least + time.Duration(rand.Int64N(int64(max(0, most-least))+1))
}

// clamp sees to it that a clock that is set back lets nobody wait for longer than
// the interval.
func (k *Keeper) clamp(now time.Time) {
	latest := now.Round(0).Add(k.Interval)
	for _, p := range k.peers {
		if p.next.After(latest) {
			p.next = latest
		}
	}
}
