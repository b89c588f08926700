// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// process returns the process of the product that serves one of its sockets. The
// kernel names the one that listens; where that is systemd, which opened the socket
// for cri-dockerd, or is out of our sight, the one of the product's name that holds
// the socket open is looked for.
func (p product) process(root string) (runtimeconf.Process, error) {
	proc := filepath.Join(root, "proc")
	for _, socket := range p.sockets {
		if pid := listener(filepath.Join(root, socket)); pid > 1 {
			if found, err := runtimeconf.ReadProcess(proc, pid); err == nil && p.runs(found) {
				return found, nil
			}
		}
	}
	inodes := listening(proc, p.sockets)
	if len(inodes) == 0 {
		return runtimeconf.Process{}, fmt.Errorf("find process of %s: nobody is seen listening at %s", p.name, p.sockets[0])
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*")) // the pattern is a good one
	for _, dir := range links {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || !holds(dir, inodes) {
			continue
		}
		if found, err := runtimeconf.ReadProcess(proc, pid); err == nil && p.runs(found) {
			return found, nil
		}
	}
	return runtimeconf.Process{}, fmt.Errorf("find process of %s: no process named %s is seen to hold %s open", p.name, p.program, p.sockets[0])
}

// runs reports whether a process is one of the product's program.
func (p product) runs(process runtimeconf.Process) bool {
	return len(process.Args) > 0 && filepath.Base(process.Args[0]) == p.program
}

// listener returns the process that listens at a socket: since Linux 2.6 a client
// is told (SO_PEERCRED, unix(7)). It returns 0 where it cannot be told, as across
// PID namespaces.
func listener(socket string) (pid int) {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // the process stays 0
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	return pid
}

// listening returns what links of /proc/PID/fd show for the sockets that somebody
// listens at, by /proc/net/unix of the node's first process or of our own.
func listening(proc string, sockets []string) (links []string) {
	const accepts = 1 << 16 // __SO_ACCEPTCON
	for _, of := range []string{"1/net/unix", "net/unix"} {
		table, err := os.ReadFile(filepath.Join(proc, of))
		if err != nil {
			continue
		}
		for line := range bytes.Lines(table) {
			fields := strings.Fields(string(line)) // Num RefCount Protocol Flags Type St Inode Path
			if len(fields) != 8 {
				continue
			}
			flags, err := strconv.ParseUint(fields[3], 16, 32)
			if err == nil && flags&accepts != 0 && slices.Contains(sockets, strings.TrimPrefix(fields[7], "/var")) {
				links = append(links, "socket:["+fields[6]+"]")
			}
		}
	}
	return links
}

// holds reports whether a process has one of the sockets open. An ordinary user
// sees that of own processes only.
func holds(dir string, links []string) bool {
	fds, _ := filepath.Glob(filepath.Join(dir, "fd/*")) // the pattern is a good one
	return slices.ContainsFunc(fds, func(fd string) bool {
		link, err := os.Readlink(fd)
		return err == nil && slices.Contains(links, link)
	})
}

// listens asks whether somebody listens at a socket: a runtime that was stopped
// leaves its socket behind.
func listens(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	// Who may not ask knows at least that it is there.
	return err == nil || errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EAGAIN)
}
