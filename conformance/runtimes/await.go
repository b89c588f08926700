// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"context"
	"fmt"
	"time"
)

// patience bounds waiting for what takes a runtime a second or two.
const patience = 40 * time.Second

// Await asks until the answer is yes. What nobody notifies about (a socket that
// begins to answer, a configuration that is loaded) must be asked for. The
// last reason for a no, when there is one, ends up in the error.
func Await(ctx context.Context, what string, ask func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var reason error
	for {
		ok, err := ask(ctx)
		if ok && err == nil {
			return nil
		}
		if err != nil && ctx.Err() == nil { // else it is only that the time is over
			reason = err
		}
		select {
		case <-ctx.Done():
			if reason == nil {
				reason = ctx.Err()
			}
			return fmt.Errorf("await %s: %w", what, reason)
		case <-tick.C:
		}
	}
}
