// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// A View waits for an answer for a second, and no longer than until its deadline.
func TestDeadline(t *testing.T) {
	var l netstate.Live
	if got := l.Patience(); got != time.Second {
		t.Errorf("without a deadline it waits for %v", got)
	}
	for left, want := range map[time.Duration][2]time.Duration{
		time.Hour:              {time.Second, time.Second},
		500 * time.Millisecond: {time.Millisecond, 500 * time.Millisecond},
		-time.Hour:             {time.Millisecond, time.Millisecond},
	} {
		l.SetDeadline(time.Now().Add(left))
		if got := l.Patience(); got < want[0] || got > want[1] {
			t.Errorf("%v before its deadline it waits for %v, want %v to %v", left, got, want[0], want[1])
		}
	}
}
