// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/tunnel"
)

// A clock that is set back has nobody wait for longer than the interval.
func TestKeepClockSetBack(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct{ next, want time.Time }{
		"due":               {now.Add(-time.Second), now.Add(-time.Second)},
		"in time":           {now.Add(time.Minute), now.Add(time.Minute)},
		"an hour too late":  {now.Add(time.Hour), now.Add(4 * time.Minute)},
		"never asked":       {time.Time{}, time.Time{}},
		"just the interval": {now.Add(4 * time.Minute), now.Add(4 * time.Minute)},
	} {
		if got := tunnel.Clamped(4*time.Minute, c.next, now); !got.Equal(c.want) {
			t.Errorf("%s: asked in %v, want %v", name, got.Sub(now), c.want.Sub(now))
		}
	}
}

// Two requests are never further apart than the interval, the wait for a batch of
// others included; the first are spread over the whole of it, and no time stands
// still while the machine is suspended.
func TestKeepRenewals(t *testing.T) {
	const interval, batch = 4 * time.Minute, 5 * time.Second
	early := 0
	for range 200 {
		last := time.Now()
		for i, next := range tunnel.Renewals(interval, last, 5) {
			gap := next.Sub(last)
			if gap > interval-batch || i > 0 && gap < interval*3/4 {
				t.Fatalf("request %d comes %v after the one before", i+1, gap)
			}
			if i == 0 && gap < interval/2 {
				early++
			}
			if strings.Contains(next.String(), "m=") {
				t.Fatalf("%v has a monotonic part", next)
			}
			last = next
		}
	}
	if early == 0 {
		t.Error("all of the first requests come late in the interval")
	}
}

func TestKeepHushesOnceASecond(t *testing.T) {
	for since, want := range map[time.Duration]bool{0: false, 900 * time.Millisecond: false, time.Second: true, time.Hour: true} {
		if got := tunnel.MayHush(since); got != want {
			t.Errorf("after %v: %v, want %v", since, got, want)
		}
	}
}
