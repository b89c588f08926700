// SPDX-License-Identifier: Apache-2.0

// Package actor finds out which process changed something on this node, without eBPF: the
// kernel names the writer of a file (fanotify) and the socket behind many netlink messages,
// and reports the programs that start. What the kernel does not name stays unknown: that a
// program was started just before is told apart from that it did it.
package actor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Process is one as it was when it was seen. What could not be read, because the process
// had ended, is empty.
type Process struct {
	PID     int       `json:"pid"` // in the PID namespace of this process
	Name    string    `json:"name,omitempty"`
	Command string    `json:"command,omitempty"` // its arguments, separated by blanks
	Parent  string    `json:"parent,omitempty"`  // the command of its parent
	Cgroup  string    `json:"cgroup,omitempty"`  // the path of its control group
	Seen    time.Time `json:"-"`
}

// commandMost bounds what is kept of a command line.
const commandMost = 512

// Read reads what /proc says of a process at the moment.
func Read(pid int) Process {
	p := Process{PID: pid, Seen: time.Now()}
	dir := "/proc/" + strconv.Itoa(pid)
	p.Command = commandOf(dir)
	// Name (comm) can contain anything: the rest of stat follows its last parenthesis.
	if stat, err := os.ReadFile(dir + "/stat"); err == nil {
		begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if begin >= 0 && end > begin {
			p.Name = string(stat[begin+1 : end])
			if fields := strings.Fields(string(stat[end+1:])); len(fields) > 1 && fields[1] != "0" {
				p.Parent = commandOf("/proc/" + fields[1])
			}
		}
	}
	if groups, err := os.ReadFile(dir + "/cgroup"); err == nil {
		p.Cgroup = cgroupOf(string(groups))
	}
	return p
}

func commandOf(dir string) string {
	line, err := os.ReadFile(dir + "/cmdline")
	if err != nil {
		return ""
	}
	line = bytes.TrimRight(line, "\x00")
	if len(line) > commandMost {
		line = line[:commandMost]
	}
	return string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
}

// cgroupOf returns the path of the unified hierarchy, or that of systemd's in version 1.
func cgroupOf(groups string) string {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && (fields[1] == "" || fields[1] == "name=systemd") && fields[2] != "/" {
			return fields[2]
		}
	}
	return ""
}

// Unit returns the systemd unit in the path of a control group: "ssh.service"; "" if there is
// none, or if the process is in a pod.
func (p Process) Unit() string {
	if p.Pod() != "" {
		return ""
	}
	unit := ""
	for part := range strings.SplitSeq(p.Cgroup, "/") {
		if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") && !strings.Contains(part, ":") {
			unit = part
		}
	}
	return unit
}

// Pod returns the UID of the pod in the path of a control group, as kubelet names it.
func (p Process) Pod() string {
	m := regexp.MustCompile(`pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})`).FindStringSubmatch(p.Cgroup)
	if m == nil {
		return ""
	}
	return strings.ReplaceAll(m[1], "_", "-")
}

// Container returns the ID of the container in the path of a control group.
func (p Process) Container() string {
	return regexp.MustCompile(`[0-9a-f]{64}`).FindString(filepath.Base(p.Cgroup))
}

// Short describes the process without its parent: `pid 4711 "ip link set lo down", in
// ssh.service`.
func (p Process) Short() string {
	s := fmt.Sprintf("pid %d", p.PID)
	if p.PID == 0 {
		s = "a process of another PID namespace"
	}
	switch {
	case p.Command != "":
		s += " " + quoted(p.Command, 200)
	case p.Name != "":
		s += " " + p.Name
	default:
		return s + ", which has ended"
	}
	switch {
	case p.Pod() != "":
		s += ", in the pod with UID " + p.Pod()
	case p.Container() != "":
		s += ", in container " + p.Container()[:12]
	case p.Unit() != "":
		s += ", in " + p.Unit()
	}
	return s
}

// String describes the process and its parent.
func (p Process) String() string {
	if p.Parent == "" {
		return p.Short()
	}
	return p.Short() + ", started by " + quoted(p.Parent, 80)
}

// quoted returns the first line of a command, or the beginning of it, in quotes.
func quoted(command string, most int) string {
	first, _, more := strings.Cut(strings.TrimSpace(command), "\n")
	if len(first) > most {
		first, more = strings.ToValidUTF8(first[:most], ""), true
	}
	if more {
		first += " ..."
	}
	return `"` + first + `"`
}
