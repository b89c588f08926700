// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// initialPidNamespace is what /proc/PID/ns/pid links to in the first pid
// namespace of the machine (PROC_PID_INIT_INO, include/linux/proc_ns.h). There
// every process can be seen.
const initialPidNamespace = "pid:[4026531836]"

// roots returns the roots under which to look for a path: this process's, and pid
// 1's where that has another mount namespace.
func roots() []string {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return []string{""}
	}
	first, err := os.Readlink("/proc/1/ns/mnt")
	if err != nil || first == own {
		return []string{""}
	}
	return []string{"", "/proc/1/root"}
}

// A space is a network namespace that can be seen from here.
type space struct {
	netns  *netstate.Netns
	where  string // a clause for people
	cookie uint64 // 0 where it is not known
}

// spaces are all of them, but for the node's.
type spaces struct {
	all      []*space
	complete bool  // every process was asked, and every pin
	trouble  error // why one could not be asked; nil where there is no reason but the pid namespace
}

// findSpaces looks at the namespaces of all processes, and at what is pinned.
func findSpaces() *spaces {
	own, err := os.Readlink("/proc/self/ns/pid")
	s := &spaces{complete: err == nil && own == initialPidNamespace && os.Geteuid() == 0}
	s.search()
	return s
}

func (s *spaces) search() {
	seen := map[[2]uint64]bool{}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		s.missed(err)
	}
	var pids []string
	for _, p := range processes {
		if pid := p.Name(); strings.Trim(pid, "0123456789") == "" {
			pids = append(pids, pid)
			s.add(seen, "/proc/"+pid+"/ns/net", fmt.Sprintf("process %s%s is in it", pid, nameOf(pid)))
		}
	}
	for _, root := range roots() {
		pins, err := filepath.Glob(root + "/run/netns/*")
		if err != nil {
			continue // the pattern is well formed
		}
		for _, path := range pins {
			s.add(seen, path, path+" pins it")
		}
	}
	asked := map[string]bool{}
	for _, pid := range pids {
		s.searchPins(seen, asked, pid)
	}
}

// add opens a namespace that was not seen before.
func (s *spaces) add(seen map[[2]uint64]bool, path, where string) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return // a process that ended
	case err != nil: // without CAP_SYS_PTRACE, all that have more capabilities than this one
		s.missed(fmt.Errorf("stat %s: %w", path, err))
		return
	}
	id := [2]uint64{st.Dev, st.Ino}
	if seen[id] {
		return
	}
	seen[id] = true
	n := netstate.OpenNetns(path)
	if n.Kind != netstate.Sandbox {
		if n.Kind == netstate.Unknown {
			s.missed(n.Err)
		}
		_ = n.Close()
		return
	}
	at := &space{netns: n, where: where}
	if at.cookie, err = n.Cookie(); err != nil { // without CAP_SYS_ADMIN, all
		at.cookie = 0
		s.missed(fmt.Errorf("read cookie of %s: %w", path, err))
	}
	s.all = append(s.all, at)
}

// missed notes that a namespace could not be looked at: it may be the one that is
// searched for.
func (s *spaces) missed(why error) {
	s.complete = false
	if s.trouble == nil {
		s.trouble = why
	}
}

func (s *spaces) close() {
	for _, at := range s.all {
		_ = at.netns.Close()
	}
}

func (s *spaces) withCookie(cookie uint64) *space {
	for _, at := range s.all {
		if at.cookie == cookie {
			return at
		}
	}
	return nil
}

// withNetID returns the namespace that the node knows by a number.
func (s *spaces) withNetID(node *netstate.Live, netID int) *space {
	for _, at := range s.all {
		if id, err := node.NetID(at.netns); err == nil && id == netID {
			return at
		}
	}
	return nil
}

// nameOf returns the name of a process, in brackets.
func nameOf(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil || len(name) < 2 {
		return ""
	}
	return " (" + string(name[:len(name)-1]) + ")"
}
