// SPDX-License-Identifier: Apache-2.0

// Package dirwatch reports changes in directories: by inotify, and by comparing them while
// inotify is not available. The agent and guardctl doctor watch the conf dir with it.
package dirwatch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How directories are polled while inotify is not available: its instances are limited for
// each user, 128 by default, and runtimes and other agents share them with us.
const (
	pollEvery    = 1500 * time.Millisecond
	inotifyRetry = 30 * time.Second
)

// A Watch reports changes in directories. A directory that is replaced, or deleted and
// created again, is followed by way of its parent. Use New.
type Watch struct {
	dirs    func() []string
	changed func(lost bool)
	state   func(events bool, err error)
	rearm   chan struct{} // the directories are others now

	mu    sync.Mutex
	armed []string // the directories that are watched
}

// New returns a watch of the directories that dirs returns, which does nothing until Run.
// It calls changed after each change, with true if changes were lost, and state whenever
// it begins to wait for changes: events is whether the kernel reports them, and err why
// not. The functions must not block; dirs may be called by two goroutines at once.
func New(dirs func() []string, changed func(lost bool), state func(events bool, err error)) *Watch {
	return &Watch{dirs: dirs, changed: changed, state: state, rearm: make(chan struct{}, 1)}
}

// What of a directory is of interest, and of its parent.
const (
	dirMask    = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	parentMask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
)

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		if !first && !pause(ctx, 10*time.Millisecond) { // a directory that is replaced all the time
			return
		}
		in, err := w.arm()
		w.state(err == nil, err)
		if !first {
			w.changed(false) // what changed before the watch was armed
		}
		if err != nil {
			w.poll(ctx)
			continue
		}
		w.read(ctx, in)
	}
}

// Check makes Run watch others if dirs returns other directories by now.
func (w *Watch) Check() {
	w.mu.Lock()
	same := w.armed == nil || slices.Equal(w.armed, w.dirs())
	w.mu.Unlock()
	if !same {
		select {
		case w.rearm <- struct{}{}:
		default:
		}
	}
}

// An inotify is an instance with its watches.
type inotify struct {
	file    *os.File
	dirs    map[int32]bool                // watches of directories
	parents map[int32]map[string]struct{} // of their parents, with the names that matter there
}

func (w *Watch) arm() (*inotify, error) {
	dirs := w.dirs()
	w.mu.Lock()
	w.armed = append([]string{}, dirs...)
	w.mu.Unlock()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch directories: inotify_init: %w: the limit is fs.inotify.max_user_instances", err)
	}
	in := &inotify{file: os.NewFile(uintptr(fd), "inotify"), dirs: map[int32]bool{}, parents: map[int32]map[string]struct{}{}}
	for _, dir := range dirs {
		if err := in.add(fd, dir); err != nil {
			_ = in.file.Close()
			return nil, fmt.Errorf("watch %s: %w: the limit is fs.inotify.max_user_watches", dir, err)
		}
	}
	return in, nil
}

// add watches a directory, if it exists, and its parent, or the nearest one that exists.
// Parents come first: what happens in between is seen there.
func (in *inotify) add(fd int, dir string) error {
	for name, parent := filepath.Base(dir), filepath.Dir(dir); ; name, parent = filepath.Base(parent), filepath.Dir(parent) {
		wd, err := unix.InotifyAddWatch(fd, parent, parentMask|unix.IN_MASK_ADD)
		if err == nil {
			if in.parents[int32(wd)] == nil {
				in.parents[int32(wd)] = map[string]struct{}{}
			}
			in.parents[int32(wd)][name] = struct{}{}
			break
		}
		if errors.Is(err, unix.ENOSPC) || parent == filepath.Dir(parent) {
			return err
		}
	}
	wd, err := unix.InotifyAddWatch(fd, dir, dirMask|unix.IN_MASK_ADD)
	if errors.Is(err, unix.ENOSPC) {
		return err
	}
	if err == nil {
		in.dirs[int32(wd)] = true
	}
	return nil
}

// read reports changes until the watch must be armed again.
func (w *Watch) read(ctx context.Context, in *inotify) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer in.file.Close()
	go func() {
		select {
		case <-w.rearm:
		case <-ctx.Done():
		}
		_ = in.file.Close()
	}()
	buffer := make([]byte, 16<<10)
	for {
		n, err := in.file.Read(buffer)
		if err != nil {
			return
		}
		changed, overflow, rearm := in.events(buffer[:n])
		if changed || overflow {
			w.changed(overflow)
		}
		if rearm {
			return
		}
	}
}

// events judges what was read.
func (in *inotify) events(b []byte) (changed, overflow, rearm bool) {
	for len(b) >= unix.SizeofInotifyEvent {
		wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
		size := min(unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:])), len(b))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:size], []byte{0})
		b = b[size:]
		_, matters := in.parents[wd][string(name)]
		switch {
		case mask&unix.IN_Q_OVERFLOW != 0:
			overflow = true
		case mask&(unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT) != 0:
			rearm = true
		case matters:
			rearm = true
			changed = changed || in.dirs[wd]
		case in.dirs[wd]:
			changed = true
		}
	}
	return changed, overflow, rearm
}

// poll compares the directories until it is time to try inotify again.
func (w *Watch) poll(ctx context.Context) {
	dirs := w.dirs()
	before := signature(dirs)
	for waited := time.Duration(0); waited < inotifyRetry; waited += pollEvery {
		if !pause(ctx, pollEvery) {
			return
		}
		if now := signature(dirs); now != before {
			before = now
			w.changed(false)
		}
	}
}

// signature returns a number that differs if a file of a directory was changed, replaced,
// renamed, added or removed.
func signature(dirs []string) uint64 {
	h := fnv.New64a()
	for _, dir := range dirs {
		fmt.Fprintln(h, dir, identity(dir))
		entries, _ := os.ReadDir(dir) // a missing one is as good a state as any
		for _, e := range entries {
			fmt.Fprintln(h, e.Name(), identity(filepath.Join(dir, e.Name())))
		}
	}
	return h.Sum64()
}

func identity(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim)
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
