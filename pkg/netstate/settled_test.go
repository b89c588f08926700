// SPDX-License-Identifier: Apache-2.0

package netstate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func TestSettled(t *testing.T) {
	trouble := errors.New("trouble")
	interrupted := fmt.Errorf("dump: %w", netlink.ErrDumpInterrupted)
	for name, c := range map[string]struct {
		answers []error // of each dump in turn; the last is repeated
		calls   int
		want    error
	}{
		"at once":         {[]error{nil}, 1, nil},
		"at the third":    {[]error{interrupted, interrupted, nil}, 3, nil},
		"never":           {[]error{interrupted}, 5, netlink.ErrDumpInterrupted},
		"trouble":         {[]error{trouble}, 1, trouble},
		"trouble at last": {[]error{interrupted, trouble}, 2, trouble},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			got, err := netstate.Settled(func() (int, error) {
				calls++
				return calls, c.answers[min(calls, len(c.answers))-1]
			})
			if calls != c.calls || got != c.calls || !errors.Is(err, c.want) {
				t.Errorf("%d calls, result %d, error %v; want %d calls and the last result, error %v", calls, got, err, c.calls, c.want)
			}
		})
	}
}
