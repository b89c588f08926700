// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy says that another process asks the peers right now.
var ErrBusy = errors.New("another process asks the peers right now")

// Lock takes the lock, without waiting for it: the error wraps ErrBusy where
// another has it. The lock ends with the process at the latest.
func (m Memory) Lock() (unlock func(), err error) {
	var f *os.File
	err = m.withFolder(func() (err error) {
		f, err = os.OpenFile(m.path("lock"), os.O_RDWR|os.O_CREATE|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock the memory of peers: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return func() { f.Close() }, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	return nil, fmt.Errorf("lock the memory of peers: %w", err)
}

// LockWithin takes the lock as soon as it is free, or gives up when ctx ends. It
// is for those whom no pod waits for.
func (m Memory) LockWithin(ctx context.Context) (unlock func(), err error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		unlock, err = m.Lock()
		if !errors.Is(err, ErrBusy) {
			return unlock, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}
