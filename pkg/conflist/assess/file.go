// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A file is a loadable file of the folder as far as it was read.
type file struct {
	name    string
	at      int // its place in the order of the loader
	verdict conflist.Verdict
	list    conflist.List
	refused error // why the runtime refuses it
	read    bool
	allowed bool
	role    Role
	reason  string
}

// parsed reports whether the content of a file is known.
func (f *file) parsed() bool { return f.read && len(f.list.Plugins) > 0 }

func (f *file) guarded() bool { return slices.Contains(f.list.Types(), conflist.GuardType) }

// own reports whether a file is the guard's own copy, as it should be or broken.
func (f *file) own() bool { return f.name == conflist.OwnFile && (f.guarded() || !f.parsed()) }

// inUse reports whether pods get the network of a file.
func (f *file) inUse() bool {
	return f.verdict == conflist.Selected || f.verdict == conflist.Attached
}

// unreadable reports whether this user may not read the file.
func (f *file) unreadable() bool { return errors.Is(f.refused, fs.ErrPermission) }

// sample reports whether a file comes with a package and serves no cluster: the
// examples of CRI-O and containerd, what podman and nerdctl write for themselves,
// and a network of lo only. A file of that name that calls a cluster's plugin is none.
func (f *file) sample() bool {
	if f.parsed() && f.list.OnlyLoopback() {
		return true
	}
	return sampleName(f.name) && !slices.ContainsFunc(f.list.Types(), func(t string) bool { return !samplePlugin(t) })
}

// IsSample reports whether a file comes with a package and serves no cluster.
func IsSample(f conflist.File) bool {
	l := conflist.List{Name: f.Network}
	for _, t := range f.Plugins {
		l.Plugins = append(l.Plugins, conflist.Plugin{Type: t})
	}
	return (&file{name: f.Name, list: l, read: !f.Unread}).sample()
}

func sampleName(name string) bool {
	switch name {
	case "10-containerd-net.conflist", "10-crio-bridge.conflist", "11-crio-ipv4-bridge.conflist",
		"100-crio-bridge.conf", "100-crio-bridge.conflist",
		"99-loopback.conf", "99-loopback.conflist", "200-loopback.conf", "200-loopback.conflist":
		return true
	}
	return slices.ContainsFunc([]string{"87-podman", "cni-podman", "nerdctl-"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".conflist")
	})
}

// samplePlugin reports whether samples call a plugin. Others belong to a cluster.
func samplePlugin(plugin string) bool {
	switch plugin {
	case "bridge", "ptp", "loopback", "portmap", "firewall", "tuning", "bandwidth", "dnsname", conflist.GuardType:
		return true
	}
	return false
}

// contains reports whether a list calls all plugins of another, of the same network,
// the guard aside.
func contains(all, some conflist.List) bool {
	if all.Name != some.Name || len(all.Plugins) == 0 || len(some.Plugins) == 0 {
		return false
	}
	left := all.Types()
	for _, t := range some.Types() {
		at := slices.Index(left, t)
		if t == conflist.GuardType {
			continue
		}
		if at < 0 {
			return false
		}
		left[at] = conflist.GuardType
	}
	return true
}

// copyOf reports whether two files are of the same network and call the same
// plugins, the guard aside.
func copyOf(a, b *file) bool { return contains(a.list, b.list) && contains(b.list, a.list) }

// madeOf reports whether a list was made of another one by adding plugins, other
// than the guard: istio-cni and Antrea make theirs so.
func madeOf(f, source *file) bool {
	return contains(f.list, source.list) && !contains(source.list, f.list)
}

// related reports whether two files are of one network plugin: one was made of the
// other, or of an older state of it.
func related(a, b *file) bool {
	if !a.parsed() || !b.parsed() || a.list.Name != b.list.Name {
		return false
	}
	return a.name == conflist.OwnFile || b.name == conflist.OwnFile || contains(a.list, b.list) || contains(b.list, a.list) ||
		a.list.Plugins[0].Type == b.list.Plugins[0].Type
}

// stem returns a name without its extension and the dots before it.
func stem(name string) string {
	name = strings.TrimLeft(name, ".")
	if at := strings.LastIndexByte(name, '.'); at > 0 {
		name = name[:at]
	}
	return name
}

// copyName reports whether a name says that the file is a copy of another: it is
// hidden, or longer by something: ".10-calico.conflist", "10-calico-backup.conflist",
// "10-calico.conflist.conflist", "old-10-calico.conflist".
func copyName(name, of string) bool {
	a, b := stem(name), stem(of)
	if a == b {
		return strings.HasPrefix(name, ".") && !strings.HasPrefix(of, ".")
	}
	return strings.Contains(a, strings.TrimLeft(b, "0123456789-")) && len(a) > len(b)
}
