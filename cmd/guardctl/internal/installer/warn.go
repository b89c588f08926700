// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// warn tells what is right now and may not stay so.
func (p *Plan) warn(r Request, f target) {
	if len(f.DropIns) > 0 {
		p.note("%s adds plugins behind the guard, which is then not the first on DEL: put them into the list", strings.Join(f.DropIns, ", "))
	}
	if r.Placement != Own {
		also := ", or use --placement own"
		if r.suits(target{File: f.File, multus: f.multus}) != nil || f.multus != "" || perRelease(r.named.BinDir) || slices.Contains(f.Plugins, "cilium-cni") {
			also = ""
		}
		p.note("if the DaemonSet of the network plugin writes %s again, the entry is gone: put it into its template, too%s", f.Name, also)
	}
	p.warnOf(r, f)
	for _, plugin := range f.Plugins {
		if plugin != conflist.GuardType && !slices.ContainsFunc(r.Site.Runtime.BinDirs, func(dir string) bool { return exists(filepath.Join(dir, plugin)) }) {
			p.note("%s names the plugin %s, which is in none of %s: no pod starts until it is there", f.Name, plugin, strings.Join(r.Site.Runtime.BinDirs, ", "))
		}
	}
}

// warnOf tells what is known of single products.
func (p *Plan) warnOf(r Request, f target) {
	if f.multus != "" {
		p.note("%s is of Multus, which hands pods on to %s: if it has a copy of that list in its own (delegates), the guard is called once Multus has written it again: restart its pod on this node", f.multus, f.Name)
	}
	if r.Placement == Own && slices.Contains(f.Plugins, "cilium-cni") {
		p.note("Cilium renames every other file of the folder to *.cilium_bak, %s as well, unless its cni.exclusive is false: set that, or put the guard into the list that it installs (cni.customConf)", ownFile)
	}
	if perRelease(r.named.BinDir) {
		p.note("this k3s makes a folder of plugins for every release, and the next has no guard in it: run guardctl install again after each upgrade of k3s, and before it take the entry out of files that k3s does not write itself")
	}
}

// perRelease tells a folder of plugins that belongs to one release: k3s before
// v1.31.1 has data/HASH/bin (k3s#10869).
func perRelease(dir string) bool {
	hash := filepath.Base(filepath.Dir(dir))
	return filepath.Base(dir) == "bin" && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}
