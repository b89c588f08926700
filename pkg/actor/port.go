// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A routeSocket is a line of /proc/net/netlink about a socket of NETLINK_ROUTE.
type routeSocket struct {
	port  uint32
	inode string
}

// routeSockets returns the sockets of the network namespace that speak rtnetlink. Those
// with port 0 are the kernel's.
func routeSockets() []routeSocket {
	table, err := os.ReadFile("/proc/self/net/netlink")
	if err != nil {
		return nil
	}
	var all []routeSocket
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
		if len(fields) < 10 || fields[1] != "0" || fields[2] == "0" {
			continue
		}
		if port, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			all = append(all, routeSocket{uint32(port), fields[9]})
		}
	}
	return all
}

// OfPort returns the process that has the netlink socket with a port open at the moment: that
// is proof. Otherwise it returns false: the process has ended, or is not visible.
func OfPort(port uint32) (Process, bool) {
	sockets := routeSockets()
	i := slices.IndexFunc(sockets, func(s routeSocket) bool { return s.port == port })
	if i < 0 {
		return Process{}, false
	}
	link := "socket:[" + sockets[i].inode + "]"
	// The kernel makes the first port of a process its ID, as the process knows it.
	if has(strconv.FormatUint(uint64(port), 10), link) {
		return Read(int(port)), true
	}
	for _, pid := range pids() {
		if has(pid, link) {
			n, _ := strconv.Atoi(pid) // pids returns numbers
			return Read(n), true
		}
	}
	return Process{}, false
}

// Holders returns the processes that have an rtnetlink socket open at the moment, and could
// have changed a link without having been started for it. This process is left out.
func Holders() []Process {
	links := map[string]bool{}
	for _, s := range routeSockets() {
		links["socket:["+s.inode+"]"] = true
	}
	var all []Process
	for _, pid := range pids() {
		if n, _ := strconv.Atoi(pid); n != os.Getpid() && hasAny(pid, links) {
			all = append(all, Read(n))
		}
	}
	return all
}

func pids() []string {
	entries, _ := os.ReadDir("/proc") // without it nothing is found
	var all []string
	for _, e := range entries {
		if strings.Trim(e.Name(), "0123456789") == "" {
			all = append(all, e.Name())
		}
	}
	return all
}

func has(pid, link string) bool { return hasAny(pid, map[string]bool{link: true}) }

func hasAny(pid string, links map[string]bool) bool {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%s/fd/*", pid)) // the pattern is well formed
	return slices.ContainsFunc(fds, func(fd string) bool {
		link, err := os.Readlink(fd)
		return err == nil && links[link]
	})
}
