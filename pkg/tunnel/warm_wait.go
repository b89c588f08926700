// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"time"
)

// turn is how often it is looked whether another process has finished.
const turn = 10 * time.Millisecond

// errSeenTo says that another process has done all that there was to do.
var errSeenTo = errors.New("another process has asked the peers")

// lock takes the lock. Where another process has it, which asks the peers, that
// process asks for this one as well: it is waited for as the answers would be. Once
// it has ended only those go on who make demands that it has not met.
func (w *Warmer) lock(ctx context.Context, started time.Time) (unlock func(), err error) {
	unlock, err = w.Memory.Lock()
	if !errors.Is(err, ErrBusy) || w.Wait <= 0 {
		return unlock, err
	}
	busy := err
	ctx, cancel := context.WithDeadline(ctx, started.Add(w.Wait))
	defer cancel()
	ticker := time.NewTicker(turn)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, busy
		}
		if w.Memory.Quiet(w.topic(), time.Now()) {
			return nil, errSeenTo
		}
		unlock, err = w.Memory.Lock()
		if errors.Is(err, ErrBusy) {
			continue
		}
		if err == nil && w.Demands == "" {
			unlock()
			return nil, busy
		}
		return unlock, err
	}
}
