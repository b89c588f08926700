// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A ConfWatch says when something happens in the conf dir. Its times are those at which this
// process was notified.
type ConfWatch struct {
	file   *os.File
	events chan confEvent
}

type confEvent struct {
	at   time.Time
	mask uint32
	name string
}

// WatchConfDir begins to watch.
func (s *Rig) WatchConfDir() (*ConfWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch conf dir: %w", err)
	}
	w := &ConfWatch{file: os.NewFile(uintptr(fd), "inotify"), events: make(chan confEvent, 1<<12)}
	const mask = unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE | unix.IN_CLOSE_WRITE
	if _, err := unix.InotifyAddWatch(fd, s.selector().ConfDir(), mask); err != nil {
		_ = w.file.Close()
		return nil, fmt.Errorf("watch conf dir: %w", err)
	}
	go w.read()
	return w, nil
}

// Close ends the watch.
func (w *ConfWatch) Close() { _ = w.file.Close() }

func (w *ConfWatch) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.file.Read(buffer)
		at := time.Now()
		if err != nil {
			close(w.events)
			return
		}
		for b := buffer[:n]; len(b) >= unix.SizeofInotifyEvent; {
			mask, size := binary.NativeEndian.Uint32(b[4:]), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))
			name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:size], []byte{0})
			w.events <- confEvent{at, mask, string(name)}
			b = b[size:]
		}
	}
}

// AwaitGone waits until a file goes from the conf dir, and returns when that was. What
// happened before the given time does not count.
func (w *ConfWatch) AwaitGone(ctx context.Context, name string, since time.Time) (time.Time, error) {
	return w.await(ctx, since, func(e confEvent) bool {
		return e.name == name && e.mask&(unix.IN_MOVED_FROM|unix.IN_DELETE) != 0
	})
}

// AwaitChange waits until something has happened after which the condition is true.
func (w *ConfWatch) AwaitChange(ctx context.Context, is func() bool, since time.Time) (time.Time, error) {
	return w.await(ctx, since, func(confEvent) bool { return is() })
}

func (w *ConfWatch) await(ctx context.Context, since time.Time, is func(confEvent) bool) (time.Time, error) {
	for {
		select {
		case e, ok := <-w.events:
			if !ok {
				return time.Time{}, fmt.Errorf("watch conf dir: %w", os.ErrClosed)
			}
			if !e.at.Before(since) && is(e) {
				return e.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
}
