// SPDX-License-Identifier: Apache-2.0

package attachment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// initialPIDNamespace is the target of /proc/PID/ns/pid in the machine's first PID
// namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h), where every process is
// visible.
const initialPIDNamespace = "pid:[4026531836]"

// rootDirs returns the root directories below which to look up a path: this process's,
// and pid 1's if that has another mount namespace.
func rootDirs() []string {
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

// namespace is a visible network namespace.
type namespace struct {
	netns  *netstate.Netns
	usedBy string // a clause that names a process or a mount
	cookie uint64 // 0 if unknown
}

// namespaces are the visible network namespaces other than the node's.
type namespaces struct {
	all      []*namespace
	complete bool  // every process and every mount of a namespace was checked
	err      error // why one could not be checked; nil if only the PID namespace limits what is visible

	seen map[namespaceID]bool
}

type namespaceID struct{ dev, inode uint64 }

// findNamespaces opens the network namespaces of all processes, and those that are
// mounted.
func findNamespaces() *namespaces {
	own, err := os.Readlink("/proc/self/ns/pid")
	s := &namespaces{
		complete: err == nil && own == initialPIDNamespace && os.Geteuid() == 0,
		seen:     map[namespaceID]bool{},
	}
	s.search()
	return s
}

func (s *namespaces) search() {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		s.markIncomplete(err)
	}
	var pids []string
	for _, p := range processes {
		if pid := p.Name(); strings.Trim(pid, "0123456789") == "" {
			pids = append(pids, pid)
			s.add("/proc/"+pid+"/ns/net", fmt.Sprintf("process %s%s is in it", pid, processName(pid)))
		}
	}
	for _, root := range rootDirs() {
		mounted, err := filepath.Glob(root + "/run/netns/*")
		if err != nil {
			continue // the pattern is well formed
		}
		for _, path := range mounted {
			s.add(path, "it is mounted at "+path)
		}
	}
	searched := map[string]bool{}
	for _, pid := range pids {
		s.addMounted(searched, pid)
	}
}

// add opens the namespace at the path unless it was seen before.
func (s *namespaces) add(path, usedBy string) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		return // the process ended
	case err != nil: // without CAP_SYS_PTRACE: every process that has more capabilities than this one
		s.markIncomplete(fmt.Errorf("stat %s: %w", path, err))
		return
	}
	id := namespaceID{st.Dev, st.Ino}
	if s.seen[id] {
		return
	}
	s.seen[id] = true
	n := netstate.OpenNetns(path)
	if n.Kind != netstate.Sandbox {
		if n.Kind == netstate.Unknown {
			s.markIncomplete(n.Err)
		}
		_ = n.Close()
		return
	}
	found := &namespace{netns: n, usedBy: usedBy}
	if found.cookie, err = n.Cookie(); err != nil { // without CAP_SYS_ADMIN: every namespace
		found.cookie = 0
		s.markIncomplete(fmt.Errorf("read cookie of %s: %w", path, err))
	}
	s.all = append(s.all, found)
}

// addMounted adds the namespaces that are mounted where a process can see them. It
// searches each mount namespace once. A runtime may have a mount namespace of its own,
// as CRI-O and kubelet do on OpenShift: what is mounted there is an empty file for all
// other processes.
func (s *namespaces) addMounted(searched map[string]bool, pid string) {
	process := "/proc/" + pid
	mountNamespace, err := os.Readlink(process + "/ns/mnt")
	if hasEnded(err) || searched[mountNamespace] {
		return
	}
	var table []byte
	if err == nil {
		table, err = os.ReadFile(process + "/mountinfo")
	}
	switch {
	case hasEnded(err):
		return
	case err != nil:
		s.markIncomplete(fmt.Errorf("list mounts of process %s: %w", pid, err))
		return
	}
	searched[mountNamespace] = true
	for _, m := range parseNamespaceMounts(string(table)) {
		if s.hasInode(m.inode) {
			continue
		}
		s.add(process+"/root"+m.path, fmt.Sprintf("it is mounted at %s, in the mount namespace of process %s%s", m.path, pid, processName(pid)))
		if !s.hasInode(m.inode) && !hasEnded(unix.Access(process, unix.F_OK)) {
			s.markIncomplete(fmt.Errorf("open net:[%d]: %s does not lead there for process %s", m.inode, m.path, pid))
		}
	}
}

// hasEnded reports whether an error means that the process no longer exists. The mounts
// of a zombie cannot be read (EINVAL).
func hasEnded(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL)
}

func (s *namespaces) hasInode(inode uint64) bool {
	for id := range s.seen {
		if id.inode == inode {
			return true
		}
	}
	return false
}

// markIncomplete notes that a namespace could not be checked. It may be the one that
// the caller looks for.
func (s *namespaces) markIncomplete(err error) {
	s.complete = false
	if s.err == nil {
		s.err = err
	}
}

func (s *namespaces) close() {
	for _, n := range s.all {
		_ = n.netns.Close()
	}
}

// withCookie returns the namespace that has the cookie, or nil.
func (s *namespaces) withCookie(cookie uint64) *namespace {
	for _, n := range s.all {
		if n.cookie == cookie {
			return n
		}
	}
	return nil
}

// withNetID returns the namespace for which the node's namespace has the ID (NETNSA_NSID), or
// nil.
func (s *namespaces) withNetID(node *netstate.Live, netID int) *namespace {
	for _, n := range s.all {
		if id, err := node.NetID(n.netns); err == nil && id == netID {
			return n
		}
	}
	return nil
}

// processName returns the name of a process in parentheses, after a space.
func processName(pid string) string {
	name, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil || len(name) < 2 {
		return ""
	}
	return " (" + string(name[:len(name)-1]) + ")"
}

// namespaceMount is where a network namespace is mounted.
type namespaceMount struct {
	inode uint64
	path  string // below the root directory of the process
}

// parseNamespaceMounts returns the network namespaces in a file /proc/PID/mountinfo
// (proc_pid_mountinfo(5)). The fourth field of such a line is "net:[INODE]", the fifth
// is where it is mounted.
func parseNamespaceMounts(table string) []namespaceMount {
	var mounts []namespaceMount
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		number, isNet := strings.CutPrefix(fields[3], "net:[")
		inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
		if !isNet || err != nil {
			continue
		}
		// The kernel's escapes: show_mountinfo in fs/proc_namespace.c.
		path := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(fields[4])
		mounts = append(mounts, namespaceMount{inode, path})
	}
	return mounts
}
