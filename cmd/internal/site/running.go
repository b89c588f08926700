// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"context"
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

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/cmd/internal/cri"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// Running is what the runtime that runs says of itself.
type Running struct {
	// NetworkReady is false where the runtime starts no pod for want of a network;
	// Message says why, in its words.
	NetworkReady bool
	Message      string
	// Loaded is what containerd has in memory; nil for other runtimes.
	Loaded *cri.Loaded
	// Changed are the settings whose values in its configuration differ from those it runs
	// with: the configuration was edited, and the runtime was not restarted since.
	Changed []Change
}

// A Change is a setting that the next start of the runtime changes.
type Change struct{ Setting, Running, Configured string }

// FindRunning is Find, and then asks the runtime, if it runs, what it works with:
// that counts, whatever its configuration says by now. What the operator says still
// beats both. A runtime that does not answer within two seconds is left out, with a
// sentence in How.
func FindRunning(ctx context.Context, root string, o Overrides) (Site, error) {
	return find(root, o, func(s *Site, root string) {
		if s.Socket == "" {
			return
		}
		if err := s.ask(ctx, filepath.Join(root, s.Socket)); err != nil {
			s.How = append(s.How, fmt.Sprintf("%s does not say what it works with: %v", s.Name, err))
		}
	})
}

// ask asks the runtime at a socket. Paths are still without the root.
func (s *Site) ask(ctx context.Context, socket string) error {
	status, err := cri.At(socket).Status(ctx)
	if err != nil {
		return err
	}
	s.Running = &Running{NetworkReady: status.NetworkReady, Message: status.Message}
	switch s.Runtime.Kind {
	case conflist.Containerd:
		loaded, err := status.Loaded()
		if err != nil {
			return err
		}
		s.Running.Loaded = &loaded
		s.takeDir("conf_dir", &s.ConfDir, loaded.ConfDir)
		s.takeDirs(loaded.BinDirs)
		if loaded.MaxConfNum != s.Runtime.MaxConfNum {
			s.changed("max_conf_num", fmt.Sprint(loaded.MaxConfNum), fmt.Sprint(s.Runtime.MaxConfNum))
			s.Runtime.MaxConfNum = loaded.MaxConfNum
		}
	case conflist.CRIO:
		text, err := cri.CRIOConfig(ctx, socket)
		if err != nil {
			return err
		}
		var tree map[string]any
		if err := toml.Unmarshal(text, &tree); err != nil {
			return fmt.Errorf("parse configuration of the running CRI-O: %w", err)
		}
		s.takeCRIO(table(tree, "crio", "network"))
	}
	return nil
}

// takeCRIO takes what CRI-O serves as its configuration, which has all keys.
func (s *Site) takeCRIO(network map[string]any) {
	if dir, ok := network["network_dir"].(string); ok {
		s.takeDir("network_dir", &s.ConfDir, dir)
	}
	if dirs, ok := texts(network["plugin_dirs"]); ok {
		s.takeDirs(dirs)
	}
	if name, ok := network["cni_default_network"].(string); ok && name != s.Runtime.DefaultNetwork {
		s.changed("cni_default_network", fmt.Sprintf("%q", name), fmt.Sprintf("%q", s.Runtime.DefaultNetwork))
		s.Runtime.DefaultNetwork = name
	}
}

func (s *Site) takeDir(setting string, dir *string, running string) {
	if running == "" || filepath.Clean(running) == filepath.Clean(*dir) {
		return
	}
	s.changed(setting, running, *dir)
	*dir = running
}

// takeDirs takes the plugin directories of the running runtime.
func (s *Site) takeDirs(running []string) {
	if len(running) == 0 || slices.EqualFunc(running, s.Runtime.BinDirs, func(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }) {
		return
	}
	s.changed("bin_dirs", fmt.Sprint(running), fmt.Sprint(s.Runtime.BinDirs))
	s.Runtime.BinDirs = slices.Clone(running)
}

// changed notes a setting that the runtime has otherwise than its configuration.
func (s *Site) changed(setting, running, configured string) {
	s.Running.Changed = append(s.Running.Changed, Change{setting, running, configured})
	s.How = append(s.How, fmt.Sprintf("%s is %s: the running %s, unlike its configuration", setting, running, s.Name))
}

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
		return runtimeconf.Process{}, fmt.Errorf("find process of %s: no process is seen listening at %s", p.name, p.sockets[0])
	}
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*")) // the pattern is a good one
	var denied error
	for _, dir := range links {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		found, err := runtimeconf.ReadProcess(proc, pid)
		if err != nil || !p.runs(found) {
			continue
		}
		held, err := holds(dir, inodes)
		if held {
			return found, nil
		}
		if errors.Is(err, os.ErrPermission) {
			denied = fmt.Errorf("find process of %s: see whether process %d has %s open: %w: it takes root with CAP_SYS_PTRACE", p.name, pid, p.sockets[0], os.ErrPermission)
		}
	}
	if denied != nil {
		return runtimeconf.Process{}, denied
	}
	return runtimeconf.Process{}, fmt.Errorf("find process of %s: no process named %s is seen to hold %s open", p.name, p.program, p.sockets[0])
}

// runs reports whether a process is one of the product's program.
func (p product) runs(process runtimeconf.Process) bool {
	return len(process.Args) > 0 && filepath.Base(process.Args[0]) == p.program
}

// listener returns the process that listens at a socket: since Linux 2.6 a client
// can read its process ID (SO_PEERCRED, unix(7)). It returns 0 if that is unknown, as
// across PID namespaces.
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

// listening returns what links of /proc/PID/fd show for the sockets at which a process
// listens, by /proc/net/unix of the node's first process or of our own.
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

// holds reports whether a process has one of the sockets open. The error says why that is
// not known. It takes CAP_SYS_PTRACE for a process with more capabilities than this one
// (ptrace(2)), and an ordinary user sees it of own processes only.
func holds(dir string, links []string) (bool, error) {
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	for _, fd := range fds {
		link, errLink := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
		if errLink == nil && slices.Contains(links, link) {
			return true, nil
		}
		if err == nil && !errors.Is(errLink, os.ErrNotExist) { // closed meanwhile
			err = errLink
		}
	}
	return false, err
}

// listens reports whether a process listens at a socket: a runtime that was stopped
// leaves its socket behind.
func listens(socket string) bool {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	// Who may not ask knows at least that it is there.
	return err == nil || errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EAGAIN)
}
