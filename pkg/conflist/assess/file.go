// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A file is a loadable file as far as it was read.
type file struct {
	name    string
	at      int // its index in the order of the loader
	verdict conflist.Verdict
	list    conflist.List
	refused error // why the runtime refuses it
	read    bool
	allowed bool
	role    Role
	reason  string // of the role
}

// isParsed reports whether the content of a file is known.
func (f *file) isParsed() bool { return f.read && len(f.list.Plugins) > 0 }

func (f *file) isGuarded() bool { return f.list.Guarded() }

// isOwnCopy reports whether a file is the guard's own copy, intact or broken.
func (f *file) isOwnCopy() bool {
	return f.name == conflist.OwnFile && (f.isGuarded() || !f.isParsed())
}

// isUnguardedOwnCopy reports whether a file is the guard's own copy without the guard:
// it is useless, and sorts first.
func (f *file) isUnguardedOwnCopy() bool {
	return f.name == conflist.OwnFile && f.isParsed() && !f.isGuarded()
}

// inUse reports whether pods get the network of a file.
func (f *file) inUse() bool {
	return f.verdict == conflist.Selected || f.verdict == conflist.Attached
}

// isUnreadable reports whether this user may not read the file.
func (f *file) isUnreadable() bool { return errors.Is(f.refused, fs.ErrPermission) }

// isSample reports whether a file comes with a package and serves no cluster; see
// [IsSample].
func (f *file) isSample() bool {
	if f.isParsed() && f.list.OnlyLoopback() {
		return true
	}
	return isSampleName(f.name) && !slices.ContainsFunc(f.list.Plugins, func(p conflist.Plugin) bool { return !isSamplePlugin(p.Type) })
}

// IsSample reports whether a file comes with a package and serves no cluster: the
// examples of CRI-O and containerd, what podman and nerdctl write for themselves, and
// networks with nothing but lo. A file that calls a cluster's plugin is no sample,
// whatever its name.
func IsSample(f conflist.File) bool {
	l := conflist.List{Name: f.Network}
	for _, t := range f.Plugins {
		l.Plugins = append(l.Plugins, conflist.Plugin{Type: t})
	}
	return (&file{name: f.Name, list: l, read: !f.Unread}).isSample()
}

func isSampleName(name string) bool {
	switch name {
	case "10-containerd-net.conflist", "10-crio-bridge.conflist", "11-crio-ipv4-bridge.conflist",
		"100-crio-bridge.conf", "100-crio-bridge.conflist",
		"99-loopback.conf", "99-loopback.conflist", "200-loopback.conf", "200-loopback.conflist":
		return true
	}
	return strings.HasSuffix(name, ".conflist") &&
		(strings.HasPrefix(name, "87-podman") || strings.HasPrefix(name, "cni-podman") || strings.HasPrefix(name, "nerdctl-"))
}

// isSamplePlugin reports whether samples call a plugin. Other plugins belong to a
// cluster.
func isSamplePlugin(plugin string) bool {
	switch plugin {
	case "bridge", "ptp", "loopback", "portmap", "firewall", "tuning", "bandwidth", "dnsname", conflist.GuardType:
		return true
	}
	return false
}

func isMultusName(name string) bool { return name == "00-multus.conf" || name == "00-multus.conflist" }

// callsAll reports whether a list has the network of another and calls all its plugins,
// apart from the guard.
func callsAll(all, some conflist.List) bool {
	if all.Name != some.Name || len(all.Plugins) == 0 || len(some.Plugins) == 0 {
		return false
	}
	left := all.Types()
	for _, p := range some.Plugins {
		if p.Type == conflist.GuardType {
			continue
		}
		at := slices.Index(left, p.Type)
		if at < 0 {
			return false
		}
		left[at] = conflist.GuardType
	}
	return true
}

// isCopyOf reports whether two files have the same network and call the same plugins,
// apart from the guard.
func isCopyOf(a, b *file) bool { return callsAll(a.list, b.list) && callsAll(b.list, a.list) }

// isDerivedFrom reports whether a list is another one with more plugins, apart from the
// guard. istio-cni and Antrea write such lists.
func isDerivedFrom(f, source *file) bool {
	return callsAll(f.list, source.list) && !callsAll(source.list, f.list)
}

// related reports whether two files belong to one network plugin: one was made from the
// other, or from an older version of it.
func related(a, b *file) bool {
	if !a.isParsed() || !b.isParsed() || a.list.Name != b.list.Name {
		return false
	}
	return a.name == conflist.OwnFile || b.name == conflist.OwnFile || callsAll(a.list, b.list) || callsAll(b.list, a.list) ||
		a.list.Plugins[0].Type == b.list.Plugins[0].Type
}

// stem returns a name without its extension and leading dots.
func stem(name string) string {
	name = strings.TrimLeft(name, ".")
	if at := strings.LastIndexByte(name, '.'); at > 0 {
		name = name[:at]
	}
	return name
}

// isCopyName reports whether a name looks like the name of a copy: it is hidden, or the
// original's with an addition: ".10-calico.conflist", "10-calico-backup.conflist",
// "10-calico.conflist.conflist", "old-10-calico.conflist".
func isCopyName(name, of string) bool {
	a, b := stem(name), stem(of)
	if a == b {
		return strings.HasPrefix(name, ".") && !strings.HasPrefix(of, ".")
	}
	return strings.Contains(a, strings.TrimLeft(b, "0123456789-")) && len(a) > len(b)
}

// A Product is a program that writes CNI config files.
type Product struct {
	Name string
	// Signs are lower-case parts of its plugin types, network names or file names.
	Signs []string
	// Entry says what becomes of an entry that is added to its file.
	Entry EntryFate
	// Template is where an entry can be added permanently; "" if there is no such place.
	Template string
}

// An EntryFate says what becomes of an entry that is added to a product's file.
// The zero EntryFate is unknown.
type EntryFate uint8

// The fates of an entry.
const (
	EntryKept EntryFate = iota + 1 // the product edits an existing file and keeps the entry
	EntryLost                      // the product rewrites the file when it starts, without the entry
)

// products is the table of [Products]. Names by which others are recognized, too, come
// last.
var products = []Product{
	{"Cilium", []string{"cilium"}, EntryLost, "the file of cni.customConf and cni.configMap (Helm)"},
	{"Istio", []string{"istio"}, EntryLost, ""},
	{"Linkerd", []string{"linkerd"}, EntryKept, ""},
	{"Antrea", []string{"antrea"}, EntryLost, "antrea-cni.conflist in the ConfigMap antrea-config"},
	{"Multus", []string{"multus"}, EntryLost, ""},
	{"Calico", []string{"calico"}, EntryLost, "cni_network_config in the ConfigMap calico-config; an installation by the Tigera operator has no such place"},
	{"Canal", []string{"canal"}, EntryLost, "cni_network_config in the ConfigMap canal-config"},
	{"k3s", []string{"cbr0-k3s"}, EntryLost, ""},
	{"flannel", []string{"flannel"}, EntryLost, "cni-conf.json in the ConfigMap kube-flannel-cfg"},
	{"Weave Net", []string{"weave"}, EntryKept, ""},
	{"kindnet", []string{"kindnet"}, EntryLost, ""},
	{"the AWS VPC CNI", []string{"aws"}, EntryLost, ""},
	{"the Azure CNI", []string{"azure"}, EntryLost, ""},
	{"GKE", []string{"gke"}, EntryLost, ""},
	{"Terway", []string{"terway"}, EntryLost, "10-terway.conf in the ConfigMap eni-config"},
	{"OVN-Kubernetes", []string{"ovn-k8s", "ovn-kubernetes"}, EntryLost, ""},
	{"Kube-OVN", []string{"kube-ovn"}, EntryLost, ""},
	{"kube-router", []string{"kuberouter", "kube-router"}, EntryKept, "cni-conf.json in the ConfigMap kube-router-cfg"},
	{"podman", []string{"podman"}, EntryKept, ""},
	{"nerdctl", []string{"nerdctl"}, EntryKept, ""},
	{"the package of CRI-O", []string{"crio"}, EntryKept, ""},
	{"somebody who followed the examples of containerd", []string{"containerd-net"}, EntryKept, ""},
	{"MicroShift", []string{"microshift"}, EntryLost, ""},
	{"minikube", []string{"k8s.conflist"}, EntryLost, ""},
	{"kubenet", []string{"kubenet"}, EntryLost, ""},
	{"cni-guard", []string{conflist.OwnFile}, EntryKept, ""},
}

// Products returns the known products. The table is the only place for such facts.
// Sources: the products' own manifests and installers, as of 2026; kindnet, k3s and
// kube-router were run.
func Products() []Product { return slices.Clone(products) }

// ProductOf returns the product that probably wrote a file; ok is false if none is
// recognized. Plugin types are stronger evidence than file names, which people choose.
func ProductOf(f conflist.File) (p Product, ok bool) {
	for _, word := range append(slices.Clone(f.Plugins), f.Network, f.Name) {
		word = strings.ToLower(word)
		for _, p := range products {
			if slices.ContainsFunc(p.Signs, func(sign string) bool { return strings.Contains(word, sign) }) {
				return p, true
			}
		}
	}
	return Product{}, false
}

// author returns the name of the product that probably wrote a file, "" if none is
// recognized.
func author(f *file) string {
	p, _ := ProductOf(conflist.File{Name: f.name, Network: f.list.Name, Plugins: f.list.Types()})
	return p.Name
}
