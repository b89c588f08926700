// SPDX-License-Identifier: Apache-2.0

package lost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A pin is a network namespace that is mounted somewhere.
type pin struct {
	inode uint64
	path  string // below the root of the process that was asked
}

// searchPins looks at the namespaces that are mounted where a process can see them,
// once for each mount namespace. A runtime may have one of its own, as CRI-O and
// kubelet have on OpenShift: what it pins there is an empty file for everybody else.
func (s *spaces) searchPins(seen map[[2]uint64]bool, asked map[string]bool, pid string) {
	process := "/proc/" + pid
	mounts, err := os.Readlink(process + "/ns/mnt")
	if ended(err) || asked[mounts] {
		return
	}
	var table []byte
	if err == nil {
		table, err = os.ReadFile(process + "/mountinfo")
	}
	switch {
	case ended(err):
		return
	case err != nil:
		s.missed(fmt.Errorf("list mounts of process %s: %w", pid, err))
		return
	}
	asked[mounts] = true
	for _, p := range parsePins(string(table)) {
		if sawInode(seen, p.inode) {
			continue
		}
		s.add(seen, process+"/root"+p.path, fmt.Sprintf("%s pins it, in the mount namespace of process %s%s", p.path, pid, nameOf(pid)))
		if !sawInode(seen, p.inode) && !ended(unix.Access(process, unix.F_OK)) {
			s.missed(fmt.Errorf("look at net:[%d]: %s does not lead there for process %s", p.inode, p.path, pid))
		}
	}
}

// ended reports whether an error says that there is no such process any more. The
// mounts of one that has not been waited for cannot be read (EINVAL).
func ended(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL)
}

func sawInode(seen map[[2]uint64]bool, inode uint64) bool {
	for id := range seen {
		if id[1] == inode {
			return true
		}
	}
	return false
}

// parsePins returns the network namespaces in a file /proc/PID/mountinfo
// (proc_pid_mountinfo(5)): of a namespace the fourth field is "net:[INODE]", and the
// fifth where it is mounted.
func parsePins(table string) []pin {
	var pins []pin
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
		// As the kernel writes them: show_mountinfo in fs/proc_namespace.c.
		path := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#").Replace(fields[4])
		pins = append(pins, pin{inode, path})
	}
	return pins
}
