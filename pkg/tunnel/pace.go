// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"time"
)

// Spent is what left the node shortly before, by this or another process.
type Spent struct {
	At      time.Time `json:"at"` // when the last of them left
	Packets int       `json:"packets"`
}

// and adds packets that leave now. What left within a second before is counted
// once more from now on: rather too slow than too fast.
func (s Spent) and(packets int, now time.Time) Spent {
	if packets == 0 {
		return s // or who finds no room would keep the next one from finding it
	}
	if now.Sub(s.At) < time.Second {
		packets += s.Packets
	}
	return Spent{At: now, Packets: packets}
}

// free gives when the next packet may leave; the zero Time where it may at once.
func (s Spent) free() time.Time {
	if s.Packets < MaxPerSecond {
		return time.Time{}
	}
	return s.At.Add(time.Second)
}

// A pace keeps packets to a limit in any second, wherever that second begins, and
// lets them leave at once until then. It remembers when each of the last packets
// left: the next must be a second later than the one that is the limit back. A
// bucket that is refilled evenly would let twice the limit through in the second
// that it starts full in.
type pace struct {
	sent []time.Time // as many as the limit; a ring
	next int
}

func newPace(limit int, spent Spent) *pace {
	if limit <= 0 {
		limit = MaxPerSecond
	}
	p := &pace{sent: make([]time.Time, limit)}
	at := spent.At
	if now := time.Now(); at.After(now) { // a clock that was set back
		at = now
	}
	for range min(spent.Packets, limit) {
		p.note(at)
	}
	return p
}

// wait gives how long the next packet has to wait.
func (p *pace) wait(now time.Time) time.Duration {
	return max(0, p.sent[p.next].Add(time.Second).Sub(now))
}

// note says that a packet leaves now.
func (p *pace) note(now time.Time) {
	p.sent[p.next] = now
	p.next = (p.next + 1) % len(p.sent)
}

// await waits until a packet may leave, and notes it. It reports whether ctx
// lasts that long.
func (p *pace) await(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	wait := p.wait(time.Now())
	if deadline, ok := ctx.Deadline(); ok && wait > 0 && time.Until(deadline) < wait {
		return false
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	p.note(time.Now())
	return true
}
