// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// warnOfFile notes what may break the installation later.
func (p *Plan) warnOfFile(r Request, f target, e Edit) {
	if len(f.DropIns) > 0 {
		p.note("%s adds plugins after the guard, which is then not the first on DEL: move them into the list", strings.Join(f.DropIns, ", "))
	}
	p.warnOfWriter(r, f, e)
	p.warnOfProduct(r, f)
	for _, plugin := range f.Plugins {
		if plugin != conflist.GuardType && !slices.ContainsFunc(r.Site.Runtime.BinDirs, func(dir string) bool { return exists(filepath.Join(dir, plugin)) }) {
			p.note("%s names the plugin %s, which is in none of %s: no pod starts until it is there", f.Name, plugin, strings.Join(r.Site.Runtime.BinDirs, ", "))
		}
	}
}

// warnOfWriter notes what becomes of the guard when the network plugin writes its file again,
// as far as the product is known.
func (p *Plan) warnOfWriter(r Request, f target, e Edit) {
	product, known := r.writer(f)
	if product.Entry == assess.EntryKept {
		return
	}
	who, writes := "the network plugin", "may write"
	if known {
		who, writes = product.Name, "writes"
	}
	if r.Placement == Own {
		p.note("%s is a copy: when %s changes %s, run guardctl install again to update it (guardctl conf shows whether they differ)", conflist.OwnFile, who, filepath.Base(e.From))
		return
	}
	if who, _ := r.waitingProgram(filepath.Base(e.From)); who != "" {
		p.note("%s is %s now, and %s: configure the network plugin to write a .conflist that ends with the guard's entry, and run guardctl uninstall if it does not get ready", filepath.Base(e.From), f.Name, who)
	}
	file, then := f.Name, "and then the entry is gone"
	if e.From != "" {
		file, then = filepath.Base(e.From), fmt.Sprintf("and %s, which was made from it, is not updated", f.Name)
		if file < f.Name {
			then = fmt.Sprintf("which sorts before %s: pods then get it, and start without the guard", f.Name)
		}
	}
	p.note("%s %s %s again when it starts, %s: %s", who, writes, file, then, r.howToKeepEntry(f, product, known))
}

// writer returns the product that writes a file, and whether it is known.
func (r Request) writer(f target) (assess.Product, bool) {
	if strings.Contains(r.siteAsNamed.ConfDir, "/rancher/k3s/") {
		for _, product := range assess.Products() {
			if product.Name == "k3s" {
				return product, true
			}
		}
	}
	return assess.ProductOf(f.File)
}

// howToKeepEntry returns how to keep the guard in the chain permanently.
func (r Request) howToKeepEntry(f target, product assess.Product, known bool) string {
	own := r.supportsOwn(f)
	switch {
	case product.Template != "" && own:
		return "add the entry to " + product.Template + " as well, or use --placement own"
	case product.Template != "":
		return "add the entry to " + product.Template + " as well"
	case known && own:
		return "use --placement own, which survives that"
	case known:
		return "run guardctl install again after that"
	case own:
		return "add the entry to its template as well, or use --placement own"
	}
	return "add the entry to its template as well"
}

// supportsOwn reports whether the placement own works on this node.
func (r Request) supportsOwn(f target) bool {
	r.Placement = Own
	return f.multus == "" && r.checkPlacement(f) == nil && !slices.Contains(f.Plugins, "cilium-cni") &&
		(r.Site.Runtime.Kind != conflist.Containerd || r.Site.Runtime.MaxConfNum == 1)
}

// warnOfProduct notes the peculiarities of products.
func (p *Plan) warnOfProduct(r Request, f target) {
	if f.multus != "" {
		p.note("%s is Multus's, and delegates pods to %s: if it embeds a copy of that list (delegates), restart Multus's pod on this node, which copies the list again with the guard. A NetworkAttachmentDefinition is guarded only if its own config is a list that ends with {\"type\":\"cni-guard\"}; guardctl conf lists those that this node knows", f.multus, f.Name)
	}
	if r.Placement == Own && slices.Contains(f.Plugins, "cilium-cni") {
		p.note("Cilium renames every other file of the directory to *.cilium_bak, including %s, unless its cni.exclusive is false: set that, or add the guard to the list that it installs (cni.customConf)", conflist.OwnFile)
	}
	if isPerReleaseDir(r.siteAsNamed.BinDir) {
		p.note("this k3s has a plugin directory for every release, and the next one will not contain the guard: run guardctl install again after each upgrade of k3s, and before it remove the entry from files that k3s does not write itself")
	}
}

// warnOfAttachments notes the additional networks of Multus without the guard, after the
// changes, with the remedy.
func (p *Plan) warnOfAttachments(r Request, v view) {
	s, err := conflist.Select(v.dir, r.runtimeFor(v))
	if err != nil {
		return // checkResult has just read it
	}
	a := assess.Assess(s, assess.Intent{Attachments: inspect.MultusNetworks(r.siteAsNamed, s)})
	for _, problem := range a.Problems {
		if problem.Kind == assess.AttachmentUnguarded {
			p.note("%s %s. %s", assess.QuoteName(r.siteAsNamed.ConfDir), problem.Sentence(), strings.TrimSuffix(problem.Advice(), "."))
		}
	}
}

// isPerReleaseDir reports whether a plugin directory belongs to one release: k3s before
// v1.31.1 has data/HASH/bin (k3s#10869).
func isPerReleaseDir(dir string) bool {
	hash := filepath.Base(filepath.Dir(dir))
	return filepath.Base(dir) == "bin" && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}
