// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/actor"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// Writers are the processes that last wrote to files of the conf dir, as the kernel names
// them. The zero value knows none.
type writers struct {
	mu       sync.Mutex
	watching bool
	last     map[string]written // by path
	changed  chan struct{}      // closed at the next write
}

type written struct {
	at time.Time
	by actor.Process
}

// Bounds of what is remembered of writers.
const (
	writersMost  = 256              // files
	writersFor   = 10 * time.Minute // longer than any pause of the agent before it acts
	writersDelay = 100 * time.Millisecond
	// writersCheck is the time between two looks at whether the conf dir is another directory.
	writersCheck = time.Minute
)

// FollowWriters remembers who writes to the conf dir, until ctx ends. Only that directory is
// watched, so that this costs nothing while nothing is written there. Without CAP_SYS_ADMIN
// it returns at once.
func (h *Host) FollowWriters(ctx context.Context) {
	select {
	case <-h.found:
	case <-ctx.Done():
		return
	}
	if !mayNameWriters() {
		h.log.Info("cannot see which process writes to the conf dir: a writer is only guessed from the name of its file", "error", "the kernel names the process only with CAP_SYS_ADMIN")
		return
	}
	why := ""
	for ctx.Err() == nil {
		wait := time.Second // a directory may be replaced all the time
		if err := h.followWriters(ctx); err != nil {
			wait = writersCheck
			if err.Error() != why {
				h.log.Warn("cannot see which process writes to the conf dir: a writer is only guessed from the name of its file", "error", err)
			}
			why = err.Error()
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// followWriters watches the directory until it is another one.
func (h *Host) followWriters(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, id := h.confDir()
	if dir == "" {
		return nil
	}
	writes, err := actor.WatchFiles(ctx, dir)
	if err != nil {
		return err
	}
	h.writers.start()
	defer h.writers.stop()
	h.log.Info("the kernel reports which process writes to the conf dir", "dir", dir)
	tick := time.NewTicker(writersCheck)
	defer tick.Stop()
	for {
		select {
		case w, ok := <-writes:
			if !ok {
				return nil
			}
			h.writers.wrote(w)
		case <-tick.C:
			if now, nowID := h.confDir(); now != dir || nowID != id {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// confDir returns the conf dir, and what tells it from another one at its path.
func (h *Host) confDir() (dir, id string) {
	dirs := h.Dirs()
	if len(dirs) == 0 {
		return "", ""
	}
	var st unix.Stat_t
	if unix.Stat(dirs[0], &st) == nil {
		id = strconv.FormatUint(st.Dev, 10) + ":" + strconv.FormatUint(st.Ino, 10)
	}
	return dirs[0], id
}

func (w *writers) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watching, w.last, w.changed = true, map[string]written{}, make(chan struct{})
}

func (w *writers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watching = false
	close(w.changed)
}

// wrote remembers a write, and who did it, while that can be read.
func (w *writers) wrote(e actor.Write) {
	by := actor.Process{PID: e.PID}
	w.mu.Lock()
	before, known := w.last[e.Path]
	w.mu.Unlock()
	if known && before.by.PID == e.PID && e.PID != 0 && before.by.Command != "" && e.Time.Sub(before.at) < time.Second {
		by = before.by // a write has several events
	} else if e.PID != 0 && ownProc() {
		by = actor.Read(e.PID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.last) >= writersMost {
		for path, last := range w.last {
			if time.Since(last.at) > writersFor {
				delete(w.last, path)
			}
		}
	}
	if len(w.last) < writersMost || known {
		w.last[e.Path] = written{e.Time, by}
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// of returns who wrote a file last, as a phrase: "" if that is not known. It waits a moment,
// as the kernel may have reported the write elsewhere first.
func (w *writers) of(path string) string {
	timeout := time.After(writersDelay)
	for {
		w.mu.Lock()
		last, ok := w.last[path]
		watching, changed := w.watching, w.changed
		w.mu.Unlock()
		switch {
		case ok && time.Since(last.at) <= writersFor:
			if last.by.Name == "" && last.by.Command == "" {
				return "" // it had ended
			}
			return last.by.String()
		case !watching:
			return ""
		}
		select {
		case <-changed:
		case <-timeout:
			return ""
		}
	}
}

// writerOf returns who wrote, renamed or removed a file: the process that the kernel named,
// or the product whose files look like this one.
func (h *Host) writerOf(a assess.Assessment, name string) string {
	if by := h.writers.of(a.Selection.Path(name)); by != "" {
		return by
	}
	for _, f := range a.Files {
		if f.Name == name && f.Author != "" {
			return "probably " + f.Author
		}
	}
	return "an unknown program"
}

// ownProc reports whether /proc shows the processes by the numbers by which the kernel names
// them to this process. In a container that has entered the node's file system it does not.
func ownProc() bool {
	self, err := os.Readlink("/proc/self")
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// mayNameWriters reports whether this process has the capability to learn who writes. With
// less the kernel reports writes and names no other process.
func mayNameWriters() bool {
	var data [2]unix.CapUserData
	err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	return err == nil && data[unix.CAP_SYS_ADMIN/32].Effective&(1<<(unix.CAP_SYS_ADMIN%32)) != 0
}
