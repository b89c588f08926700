// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// recentMost is how many programs are remembered. A pod that comes starts dozens.
const recentMost = 4096

// A Recent remembers the programs that were started last. Use Follow.
type Recent struct {
	mu   sync.Mutex
	ring []Process // oldest first, from next on
	next int
}

// Follow remembers the programs that start until ctx ends, as the process connector reports
// them, or, in a container, fanotify: it knows only those on the file systems of this mount
// namespace. The error says why neither does; nothing is remembered then.
func Follow(ctx context.Context) (*Recent, error) {
	r := &Recent{}
	pids, err := netstate.WatchExecs(ctx)
	if err == nil {
		go func() {
			for pid := range pids {
				r.add(Read(pid))
			}
		}()
		return r, nil
	}
	opens, openErr := watchOpens(ctx)
	if openErr != nil {
		return r, err
	}
	go func() {
		for open := range opens {
			r.opened(open)
		}
	}()
	return r, nil
}

// opened remembers that a process opens a program to execute it, or the interpreter of the
// one it executes. It becomes that program only after the file is open: what it is by then is
// corrected when it opens the interpreter, or by Update.
func (r *Recent) opened(open Write) {
	interpreter := strings.HasPrefix(filepath.Base(open.Path), "ld-") || strings.HasPrefix(filepath.Base(open.Path), "ld.")
	p := Process{PID: open.PID, Name: filepath.Base(open.Path), Command: open.Path, Seen: open.Time}
	if open.PID != 0 {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", open.PID))
		now := Read(open.PID)
		p.Parent, p.Cgroup = now.Parent, now.Cgroup
		switch {
		case interpreter && r.correct(now):
			return
		case exe == open.Path:
			p.Name, p.Command = now.Name, now.Command
		}
	}
	if !interpreter {
		r.add(p)
	}
}

// correct replaces what is remembered of a process that started within the last second by
// what it is now.
func (r *Recent) correct(now Process) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for back := 1; back <= len(r.ring); back++ {
		last := &r.ring[(r.next-back+2*len(r.ring))%len(r.ring)]
		if now.Seen.Sub(last.Seen) > time.Second {
			return false
		}
		if last.PID == now.PID {
			if now.Command != "" && isProgram(*last, now) {
				now.Seen = last.Seen
				*last = now
			}
			return true
		}
	}
	return false
}

// isProgram reports whether a process, as it is now, executes the program that it was
// remembered for, and is not yet the one before.
func isProgram(remembered, now Process) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", now.PID))
	return err == nil && (filepath.Base(exe) == remembered.Name || strings.HasPrefix(now.Name, remembered.Name[:min(len(remembered.Name), 15)]))
}

// add remembers a process.
func (r *Recent) add(p Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < recentMost {
		r.ring = append(r.ring, p)
		r.next = len(r.ring) % recentMost
		return
	}
	r.ring[r.next] = p
	r.next = (r.next + 1) % recentMost
}

// Update reads again what those are by now that started after a time.
func (r *Recent) Update(after time.Time) {
	for _, p := range r.Between(after, time.Now()) {
		if p.PID != 0 {
			r.correct(Read(p.PID))
		}
	}
}

// Between returns the programs that started between two times, the last one first.
func (r *Recent) Between(from, to time.Time) []Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Process
	for i := range r.ring {
		p := r.ring[(r.next-1-i+2*len(r.ring))%len(r.ring)]
		if p.Seen.Before(from) {
			break
		}
		if !p.Seen.After(to) {
			all = append(all, p)
		}
	}
	return all
}

// ByPID returns the program of a process ID that started last and after a time.
func (r *Recent) ByPID(pid int, after time.Time) (Process, bool) {
	all := r.Between(after, time.Now())
	i := slices.IndexFunc(all, func(p Process) bool { return p.PID == pid })
	if i < 0 {
		return Process{}, false
	}
	return all[i], true
}

// watchOpens reports the programs that are opened to be executed.
func watchOpens(ctx context.Context) (<-chan Write, error) {
	g, err := newGroup(0)
	if err != nil {
		return nil, err
	}
	marked := false
	for _, dir := range []string{"/", "/usr", "/bin", "/opt", "/opt/cni/bin"} {
		if markErr := g.mark(unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN_EXEC, dir); markErr != nil {
			err = markErr
			continue
		}
		marked = true
	}
	if !marked {
		g.close()
		return nil, err
	}
	return events(ctx, g), nil
}
