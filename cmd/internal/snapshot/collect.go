// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
	"github.com/cni-guard/cni-guard/pkg/netstate"
)

// What Collect reads of a node, beside what the checks asked.
const (
	collectWait = 5 * time.Second // for each part
	maxStateDir = 2_000           // files of the state directory
	maxPerLink  = 200             // links whose sysctls are read
)

// A Place says what belongs to the guard on a node.
type Place struct {
	ConfDir   string
	StateDir  string
	RecordDir string // of the record of the installation
}

// Collect adds what people look at, and what later versions of the checks may ask: the
// files of the conf dir, the guard's own files, the configuration of the managers of the
// node, and the tables of the kernel. It returns what could not be read in time.
func (s *Snapshot) Collect(ctx context.Context, at Place, kernel netstate.View) (late []string) {
	files := s.FS()
	tables := recorder{kernel, &s.kernel}
	for _, part := range []struct {
		name string
		read func()
	}{
		{"the conf dir", func() { collectConfDir(files, at.ConfDir) }},
		{"the state directory", func() { left := maxStateDir; collectTree(files, at.StateDir, 3, &left) }},
		{"the record of the installation", func() { left := maxPerDir; collectTree(files, at.RecordDir, 1, &left) }},
		{"the configuration of the node", func() { collectConfiguration(files) }},
		{"links and addresses", func() {
			_, _ = tables.Links()
			_, _ = tables.AllAddrs()
		}},
		{"routes and rules", func() {
			_, _ = tables.Routes()
			_, _ = tables.Rules()
		}},
		{"tunnels", func() { _, _ = tables.TunnelDump() }},
		{"the packet filter", func() { _, _ = tables.Ruleset(nil) }},
		{"sysctls", func() { collectSysctls(tables) }},
	} {
		if err := bounded(ctx, part.read); err != nil {
			late = append(late, fmt.Sprintf("%s: %v", part.name, err))
		}
	}
	return late
}

// bounded runs f, and returns an error if that takes too long: a file system or a netlink
// request may hang. Then f goes on alone; what it still records is kept.
func bounded(ctx context.Context, f func()) error {
	ctx, cancel := context.WithTimeoutCause(ctx, collectWait, fmt.Errorf("gave no answer within %v", collectWait))
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// maxPerDir bounds the files of one directory that are read.
const maxPerDir = 500

// read records the content of a file.
func read(files hostfs.FS, name string) {
	file, err := files.Open(name)
	if err != nil {
		return // which is recorded
	}
	defer file.Close()
	if i, err := file.Stat(); err != nil || !i.Mode().IsRegular() {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(file, maxContent+1)) // an error is recorded
}

// list records a directory and returns its entries.
func list(files hostfs.FS, dir string) []fs.DirEntry {
	entries, err := files.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return nil // which is recorded
	}
	return entries[:min(len(entries), maxPerDir)]
}

// collectConfDir reads what runtimes load, and what guardctl put aside. Of other files,
// such as the kubeconfig of a network plugin, only the name is recorded.
func collectConfDir(files hostfs.FS, dir string) {
	if dir == "" {
		return
	}
	for _, e := range list(files, dir) {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			for _, below := range list(files, name) {
				if !below.IsDir() && filepath.Ext(below.Name()) == ".conf" { // a drop-in
					read(files, filepath.Join(name, below.Name()))
				}
			}
		case conflist.Loadable(e.Name()) || strings.Contains(e.Name(), "cni-guard"):
			if e.Type()&fs.ModeSymlink != 0 {
				_, _ = files.Readlink(name)
			}
			read(files, name)
		}
	}
}

// collectTree reads the files of a directory, and of those below it.
func collectTree(files hostfs.FS, dir string, depth int, left *int) {
	if dir == "" || depth == 0 {
		return
	}
	for _, e := range list(files, dir) {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			collectTree(files, name, depth-1, left)
		case e.Type().IsRegular() && *left > 0:
			*left--
			read(files, name)
		}
	}
}

// collectConfiguration reads what the managers of the node are configured to do, and the
// configuration of the runtime. The connections of NetworkManager, which hold passwords,
// are not read.
func collectConfiguration(files hostfs.FS) {
	for _, top := range []string{"/etc", "/run", "/usr/local/lib", "/usr/lib"} {
		for _, dir := range []string{"sysctl.d", "modules-load.d", "systemd/network", "systemd/networkd.conf.d", "NetworkManager/conf.d"} {
			left := maxPerDir
			collectTree(files, filepath.Join(top, dir), 2, &left)
		}
	}
	for _, dir := range []string{"/run/systemd/netif/links", "/run/NetworkManager/devices", "/etc/containerd/conf.d", "/etc/crio/crio.conf.d"} {
		left := maxPerDir
		collectTree(files, dir, 1, &left)
	}
	for _, name := range []string{
		"/etc/sysctl.conf", "/etc/modules", "/etc/systemd/networkd.conf", "/etc/NetworkManager/NetworkManager.conf", "/etc/resolv.conf", "/etc/os-release",
		"/etc/containerd/config.toml", "/var/lib/rancher/k3s/agent/etc/containerd/config.toml", "/etc/crio/crio.conf",
		"/run/flannel/subnet.env", "/proc/version", "/proc/sys/kernel/osrelease", "/proc/modules",
	} {
		read(files, name)
	}
}

// collectSysctls reads the sysctls that pod networks depend on.
func collectSysctls(kernel netstate.View) {
	names := []string{
		"kernel/random/boot_id", "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding",
		"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables",
		"net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max",
		"net/ipv4/neigh/default/gc_thresh1", "net/ipv4/neigh/default/gc_thresh2", "net/ipv4/neigh/default/gc_thresh3",
		"net/ipv6/neigh/default/gc_thresh3", "net/ipv4/ip_local_port_range", "net/ipv4/ip_local_reserved_ports",
	}
	interfaces := []string{"all", "default"}
	links, _ := kernel.Links()
	for _, link := range links[:min(len(links), maxPerLink)] {
		interfaces = append(interfaces, link.Name)
	}
	for _, name := range interfaces {
		for _, key := range []string{"forwarding", "rp_filter", "accept_local", "proxy_arp", "src_valid_mark"} {
			names = append(names, "net/ipv4/conf/"+name+"/"+key)
		}
		names = append(names, "net/ipv6/conf/"+name+"/disable_ipv6")
	}
	for _, name := range names {
		_, _ = kernel.Sysctl(name)
	}
}
