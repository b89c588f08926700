// SPDX-License-Identifier: Apache-2.0

package nodecheck

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/internal/agentapi"
	"github.com/cni-guard/cni-guard/cmd/internal/node"
	"github.com/cni-guard/cni-guard/cmd/internal/report"
	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// Remedies of limits.
const (
	asRoot   = "run guardctl as root (sudo)"
	withRoot = "run it on the node, or mount the file system of the node and name it with --root"
	withPID  = "run it on the node, or in a container with hostPID: true"
	withNet  = "run it on the node, or in a container with hostNetwork: true"
)

// initialPIDNamespace is what the link /proc/PID/ns/pid shows for a process outside of any
// container: the kernel gives it a fixed inode (PROC_PID_INIT_INO of linux/proc_ns.h).
const initialPIDNamespace = "pid:[4026531836]"

// AddLimits adds to a report what this process cannot look at on this node: as the user
// that it runs as, and in the container that it may be in. A result about the network of
// another namespace than the node's becomes unknown.
func AddLimits(r *report.Report, n *node.Node, stateDir string, failOn report.FailOn) {
	s := newSight()
	limits := s.files(n, stateDir)
	limits = append(limits, s.capabilities()...)
	limits = append(limits, s.container(n.Rooted())...)
	for i := range limits {
		limits[i].Checks = slices.DeleteFunc(limits[i].Checks, func(name string) bool { return !judgedWell(r, name) })
	}
	r.Limits = append(r.Limits, limits...)
	if s.otherNetwork != "" {
		doubt(r, s.otherNetwork)
	}
	for i := range r.Areas {
		r.Areas[i].State = report.Worst(r.In(r.Areas[i].Name))
	}
	r.Summary = report.Summarize(r.Checks, r.Limits, failOn)
}

// judgedWell reports whether a check has passed or was skipped.
func judgedWell(r *report.Report, name string) bool {
	return slices.ContainsFunc(r.Checks, func(c report.Check) bool {
		return c.Name == name && (c.State == report.Passed || c.State == report.Skipped)
	})
}

// doubt makes the results of all checks that read the kernel's network unknown.
func doubt(r *report.Report, why string) {
	for i := range r.Checks {
		c := &r.Checks[i]
		if c.Area == checks.AreaOf("CG201").Name || slices.Contains(fileChecks(), c.Name) {
			continue
		}
		c.State, c.Findings, c.Skipped, c.Error = report.Unknown, nil, "", "what was looked at is not the network of the node: "+why
	}
}

// fileChecks are the checks that read the files of the node's managers.
func fileChecks() []string { return []string{"link-manager", "sysctl-persistence"} }

// A sight is what this process can see.
type sight struct {
	proc string // the mount point of procfs
	root string // of the node's files
	uid  int
	caps uint64 // in effect
	// otherNetwork says how the network namespace of this process is known not to be the
	// node's; "" if it is, or if that is not known.
	otherNetwork string
}

func newSight() *sight {
	s := &sight{proc: "/proc", root: "/", uid: os.Geteuid()}
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err == nil {
		s.caps = uint64(data[0].Effective) | uint64(data[1].Effective)<<32
	}
	return s
}

func (s *sight) has(capability int) bool { return s.caps&(1<<capability) != 0 }

// asWhom returns why a permission is denied, and what to do about it.
func (s *sight) asWhom() (why, remedy string) {
	if s.uid != 0 {
		return "this user is not root", asRoot
	}
	return "this process lacks CAP_DAC_READ_SEARCH", "add the capability to the container"
}

// files returns the files, directories and sockets that this process may not open.
func (s *sight) files(n *node.Node, stateDir string) (limits []report.Limit) {
	deny := func(what string, denied bool) {
		if denied {
			why, remedy := s.asWhom()
			limits = append(limits, report.Limit{What: what, Why: why, Remedy: remedy})
		}
	}
	if stateDir != "" {
		deny("the records of pods and events in "+stateDir, isDenied(stateDir) || isDenied(filepath.Join(stateDir, "live")))
	}
	deny("the record of the installation in "+n.RecordDir, isDenied(n.RecordDir) || isDenied(filepath.Join(n.RecordDir, "install.json")))
	if dir := n.Site.CacheDir; dir != "" {
		deny("the attachments that the runtime has recorded in "+dir, isDenied(dir) || isDenied(filepath.Join(dir, "results")))
	}
	if dir := n.Site.ConfDir; dir != "" {
		deny("the conf dir "+dir, isDenied(dir))
		entries, _ := os.ReadDir(dir) // the line above has the error
		var names []string
		for _, e := range entries {
			if isDenied(filepath.Join(dir, e.Name())) {
				names = append(names, e.Name())
			}
		}
		deny(fmt.Sprintf("the files of %s that other users may not read (%s)", dir, strings.Join(names, ", ")), len(names) > 0)
	}
	if socket := n.Site.Socket; socket != "" {
		deny("what the runtime says, at "+socket, isClosed(socket))
	}
	deny("the agent, at "+agentapi.Socket, isClosed(agentapi.Socket))
	return limits
}

// isDenied reports whether a file or directory is there, or may be there, and this process
// may not read it.
func isDenied(path string) bool {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err == nil {
		_ = file.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// isClosed reports whether this process may not connect to a socket.
func isClosed(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// capabilities returns what takes a capability that this process lacks.
func (s *sight) capabilities() (limits []report.Limit) {
	for _, c := range []struct {
		what, name string
		missing    bool
	}{
		{"the rules of nftables and iptables, and connection tracking", "CAP_NET_ADMIN", !s.has(unix.CAP_NET_ADMIN)},
		{"the answers of other nodes to probes", "CAP_NET_RAW", !s.has(unix.CAP_NET_RAW)},
		{"the network namespaces of pods, and the open files of other users' processes", "CAP_SYS_ADMIN and CAP_SYS_PTRACE", !s.has(unix.CAP_SYS_ADMIN) || !s.has(unix.CAP_SYS_PTRACE)},
	} {
		if !c.missing {
			continue
		}
		limit := report.Limit{What: c.what, Why: "this process lacks " + c.name, Remedy: "add the capability to the container"}
		if s.uid != 0 {
			limit.Remedy = asRoot
		}
		limits = append(limits, limit)
	}
	return limits
}

// container returns what the namespaces and mounts of a container hide. Rooted: the root
// of this process is a mount of the node's file system.
func (s *sight) container(rooted bool) (limits []report.Limit) {
	if (hostconf.Root{Dir: s.root}).Hidden() {
		// It names no checks: those that read these files are skipped and say why, and a node
		// that is a container without systemd is healthy all the same.
		limits = append(limits, report.Limit{What: "the node's own /etc and /run", Why: "this is a container that has others", Remedy: withRoot})
	}
	if rooted {
		if missing := s.missing("etc", "run", "var/lib", "proc", "sys"); len(missing) > 0 {
			limits = append(limits, report.Limit{What: "the node's " + strings.Join(missing, ", "), Why: "what --root names does not have it", Remedy: "mount / of the node as a whole", Checks: fileChecks()})
		}
	}
	own, err := os.Readlink(filepath.Join(s.proc, "self/ns/pid"))
	if err != nil {
		limits = append(limits, report.Limit{What: "the processes of the node", Why: "there is no procfs at " + s.proc, Remedy: "mount procfs, or the node's file system as a whole"})
		return append(limits, s.network(false, rooted)...)
	}
	if _, err := os.Stat(filepath.Join(s.proc, "1")); errors.Is(err, fs.ErrNotExist) {
		limits = append(limits, report.Limit{What: "the processes of other users", Why: s.proc + " is mounted with hidepid", Remedy: asRoot})
	}
	// The first process that is seen is the node's if it is outside of any container, or, in a
	// container, if the node's /proc was mounted into it.
	first, err := os.Readlink(filepath.Join(s.proc, "1/ns/pid"))
	nodesFirst := own == initialPIDNamespace || err == nil && (first == initialPIDNamespace || rooted)
	if !rooted && err == nil && own == first && (hostconf.Root{Dir: s.root}).SystemdBooted() {
		nodesFirst = true // a node of kind is itself a container
	}
	if own != initialPIDNamespace && !nodesFirst {
		limits = append(limits, report.Limit{What: "the processes of the node", Why: "this process is in a PID namespace of its own", Remedy: withPID})
	}
	return append(limits, s.network(nodesFirst, rooted)...)
}

// sharesRoot reports whether this process has the root file system of the first process,
// as one that was started with unshare or "ip netns exec" has, and one in a container does
// not. False if that cannot be read.
func (s *sight) sharesRoot() bool {
	own, err := os.Stat(s.root)
	if err != nil {
		return false
	}
	first, err := os.Stat(filepath.Join(s.proc, "1/root"))
	return err == nil && os.SameFile(own, first)
}

// network compares the network namespace with that of the node's first process. A process
// in a container looks at the wrong network by mistake; one on the node itself was put
// into another network on purpose.
func (s *sight) network(nodesFirst, rooted bool) []report.Limit {
	own, _ := os.Readlink(filepath.Join(s.proc, "self/ns/net")) // "" differs from the other as well
	first, firstErr := os.Readlink(filepath.Join(s.proc, "1/ns/net"))
	switch {
	case firstErr != nil && !rooted:
		return nil // an ordinary user may not read it
	case firstErr == nil && own == first:
		return nil
	case firstErr == nil && nodesFirst && (rooted || !s.sharesRoot()):
		s.otherNetwork = fmt.Sprintf("this process is in %s and the first process of the node in %s", own, first)
		return []report.Limit{{What: "the network of the node", Why: s.otherNetwork, Remedy: withNet}}
	case rooted:
		s.otherNetwork = "this process is in a container, and the node's /proc, which would show whether it is on the network of the node, is not there"
		return []report.Limit{{What: "the network of the node", Why: s.otherNetwork, Remedy: withNet + ", and mount / of the node as a whole"}}
	}
	return []report.Limit{{
		What:   "the network of the first process",
		Why:    fmt.Sprintf("this process is in %s and that one in %s: the checks are about the network of this process", own, first),
		Remedy: "run it in that one if it is the network of the node (nsenter -t 1 -n)",
	}}
}

// missing returns the directories that are not there, or are empty: a mount point.
func (s *sight) missing(dirs ...string) (missing []string) {
	for _, dir := range dirs {
		if entries, err := os.ReadDir(filepath.Join(s.root, dir)); err == nil && len(entries) == 0 || errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, "/"+dir)
		}
	}
	return missing
}
