// SPDX-License-Identifier: Apache-2.0

package trace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/actor"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

func utoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// links are the links as they were last reported, by index.
type links struct {
	all  map[int]netstate.Link
	gone map[int]string // the names of those that were deleted
}

// take takes over what is reported of a link, and returns what has changed. The kernel
// reports much that changes nothing.
func (l *links) take(n netstate.Notice) (changes []Change) {
	if l.all == nil {
		l.all, l.gone = map[int]netstate.Link{}, map[int]string{}
	}
	now := n.Link
	was, known := l.all[now.Index]
	if n.Gone {
		if !known {
			return nil // reported twice
		}
		delete(l.all, now.Index)
		l.gone[now.Index] = now.Name
		return []Change{{Object: now.Name, What: "removed"}}
	}
	if now.Kind == "" {
		now.Kind = was.Kind
	}
	l.all[now.Index] = now
	if n.Baseline {
		return nil
	}
	if !known {
		return []Change{{Object: now.Name, What: "added", New: now.Kind}}
	}
	differs := func(what, from, to string) {
		if from != to {
			changes = append(changes, Change{Object: now.Name, What: what, Old: from, New: to})
		}
	}
	upDown := func(up bool) string {
		if up {
			return "up"
		}
		return "down"
	}
	differs("state", upDown(was.Up), upDown(now.Up))
	differs("name", was.Name, now.Name)
	differs("mtu", strconv.Itoa(was.MTU), strconv.Itoa(now.MTU))
	differs("mac", was.MAC.String(), now.MAC.String())
	differs("master", l.master(was.Master), l.master(now.Master))
	return changes
}

func (l *links) master(index int) string {
	if index == 0 {
		return "none"
	}
	return l.name(index)
}

// name returns the name of a link.
func (l *links) name(index int) string {
	if link, ok := l.all[index]; ok {
		return link.Name
	}
	if name, ok := l.gone[index]; ok {
		return name
	}
	return "link " + strconv.Itoa(index)
}

// resolve replaces the numbers of a link and of a well-known table by their names.
func (l *links) resolve(object string) string {
	fields := strings.Fields(object)
	for i, word := range fields {
		if i == 0 {
			continue
		}
		index, err := strconv.Atoi(word)
		switch {
		case err != nil:
		case fields[i-1] == "dev":
			fields[i] = l.name(index)
		case fields[i-1] == "table" || fields[i-1] == "lookup":
			if name, ok := map[int]string{unix.RT_TABLE_MAIN: "main", unix.RT_TABLE_LOCAL: "local", unix.RT_TABLE_DEFAULT: "default"}[index]; ok {
				fields[i] = name
			}
		}
	}
	return strings.Join(fields, " ")
}

// sysctls are values as they were last read, by name: "net.ipv4.ip_forward".
type sysctls struct {
	values map[string]string
	noted  map[string]time.Time // by notices, to be compared
}

// readSysctls reads the sysctls that pods depend on. Of others the old value is not known.
func readSysctls() sysctls {
	s := sysctls{values: map[string]string{}, noted: map[string]time.Time{}}
	for _, pattern := range []string{"net/ipv4/*", "net/bridge/*", "net/netfilter/nf_conntrack_max", "net/ipv4/conf/*/*", "net/ipv6/conf/all/*", "net/ipv6/conf/default/*", "net/ipv6/conf/*/forwarding"} {
		files, _ := filepath.Glob("/proc/sys/" + pattern) // the pattern is well formed
		for _, file := range files[:min(len(files), 20000)] {
			if value, err := readValue(file); err == nil {
				s.values[sysctlName(file)] = value
			}
		}
	}
	return s
}

// sysctlName returns the name of a file below /proc/sys. A name with a dot keeps its slashes, as in
// sysctl(8).
func sysctlName(path string) string {
	name := strings.TrimPrefix(path, "/proc/sys/")
	if strings.Contains(name, ".") {
		return name
	}
	return strings.ReplaceAll(name, "/", ".")
}

// valueMost bounds the value of a sysctl.
const valueMost = 4096

func readValue(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o444 == 0 {
		return "", errors.New("it cannot be read")
	}
	value, err := os.ReadFile(path)
	return strings.Join(strings.Fields(string(value[:min(len(value), valueMost)])), " "), err
}

// note remembers that a sysctl was reported to have changed.
func (s *sysctls) note(n netstate.Notice, l *links) {
	family := "ipv4"
	if n.IPv6 {
		family = "ipv6"
	}
	of := map[int]string{netstate.ConfAll: "all", netstate.ConfDefault: "default"}[n.Link.Index]
	if of == "" {
		of = l.name(n.Link.Index)
	}
	s.noted["/proc/sys/net/"+family+"/conf/"+of+"/"+n.Sysctl] = n.Time
}

// sysctlWritten reports what a process wrote to a file of /proc/sys.
func (t *Tracer) sysctlWritten(w actor.Write) {
	if !strings.HasPrefix(w.Path, "/proc/sys/net/") {
		return
	}
	name := sysctlName(w.Path)
	value, err := readValue(w.Path)
	if err != nil {
		value = "?"
	}
	old, known := t.sysctls.values[name]
	t.sysctls.values[name] = value
	if known && old == value {
		return
	}
	if !known {
		old = "?"
	}
	t.send(Change{Time: w.Time, Kind: KindSysctl, Object: name, What: "value", Old: old, New: value, Who: t.writer(w, name)})
	t.follow(name)
}

// follow takes over what the kernel sets along with a sysctl that holds for all interfaces.
func (t *Tracer) follow(name string) {
	m := regexp.MustCompile(`^net\.(ipv[46])\.(?:ip_forward$|conf\.(?:all|default)\.(\w+)$)`).FindStringSubmatch(name)
	if m == nil {
		return
	}
	key := m[2]
	if key == "" {
		key = "forwarding"
	}
	patterns := []string{"/proc/sys/net/" + m[1] + "/conf/*/" + key}
	if m[1] == "ipv4" && key == "forwarding" {
		patterns = append(patterns, "/proc/sys/net/ipv4/ip_forward")
	}
	for _, pattern := range patterns {
		files, _ := filepath.Glob(pattern) // the pattern is well formed
		for _, file := range files {
			if value, err := readValue(file); err == nil {
				t.sysctls.values[sysctlName(file)] = value
			}
		}
	}
}

// sysctlsNoticed reports sysctls of interfaces that were changed in another way than by a
// write that was reported: by a write through another procfs, or by netlink.
func (t *Tracer) sysctlsNoticed() {
	noted := t.sysctls.noted
	t.sysctls.noted = map[string]time.Time{}
	var paths []string
	for path := range noted {
		paths = append(paths, path)
	}
	// That of all interfaces first: the others follow it.
	slices.SortFunc(paths, func(a, b string) int {
		if all := strings.Contains(a, "/conf/all/"); all != strings.Contains(b, "/conf/all/") {
			if all {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, path := range paths {
		name := sysctlName(path)
		value, err := readValue(path)
		old, known := t.sysctls.values[name]
		if errors.Is(err, fs.ErrNotExist) || known && old == value {
			continue
		}
		t.sysctls.values[name] = value
		if !known {
			old = "?"
		}
		why := "it was written through a procfs that is not the one here, or by netlink"
		if t.blind.sysctls {
			why = "the kernel reports to root only who writes a sysctl"
		}
		t.send(Change{Time: noted[path], Kind: KindSysctl, Object: name, What: "value", Old: old, New: value, Who: t.unknown(noted[path], name, why)})
		t.follow(name)
	}
}
