// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/inspect"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// warn notes what is right now and may not stay so.
func (p *Plan) warn(r Request, f target, e Edit) {
	if len(f.DropIns) > 0 {
		p.note("%s adds plugins behind the guard, which is then not the first on DEL: put them into the list", strings.Join(f.DropIns, ", "))
	}
	p.warnOfWriter(r, f, e)
	p.warnOf(r, f)
	for _, plugin := range f.Plugins {
		if plugin != conflist.GuardType && !slices.ContainsFunc(r.Site.Runtime.BinDirs, func(dir string) bool { return exists(filepath.Join(dir, plugin)) }) {
			p.note("%s names the plugin %s, which is in none of %s: no pod starts until it is there", f.Name, plugin, strings.Join(r.Site.Runtime.BinDirs, ", "))
		}
	}
}

// warnOfWriter notes what becomes of the guard when the network plugin writes its file
// again, as far as its product is known.
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
		p.note("%s is a copy: when %s changes %s, run guardctl install again, which makes the copy anew (guardctl conf says whether they differ)", conflist.OwnFile, who, filepath.Base(e.From))
		return
	}
	if who, _ := r.waited(filepath.Base(e.From)); who != "" {
		p.note("%s is %s now, and %s: have the network plugin write a .conflist that ends in the guard's entry, and run guardctl uninstall if it does not get ready", filepath.Base(e.From), f.Name, who)
	}
	file, then := f.Name, "and then the entry is gone"
	if e.From != "" {
		file, then = filepath.Base(e.From), fmt.Sprintf("and then %s, which was made of it, does not follow", f.Name)
		if file < f.Name {
			then = fmt.Sprintf("which sorts before %s: then pods get it, and start without the guard", f.Name)
		}
	}
	p.note("%s %s %s again when it starts, %s: %s", who, writes, file, then, r.lasting(f, product, known))
}

// writer returns what is known of the product that writes a file.
func (r Request) writer(f target) (assess.Product, bool) {
	if strings.Contains(r.named.ConfDir, "/rancher/k3s/") {
		for _, product := range assess.Products() {
			if product.Name == "k3s" {
				return product, true
			}
		}
	}
	return assess.ProductOf(f.File)
}

// lasting says how the guard stays in the chain for good.
func (r Request) lasting(f target, product assess.Product, known bool) string {
	own := r.suitsOwn(f)
	switch {
	case product.Template != "" && own:
		return "add the entry to " + product.Template + " as well, or use --placement own"
	case product.Template != "":
		return "add the entry to " + product.Template + " as well"
	case known && own:
		return "use --placement own, which survives that"
	case known:
		return "run guardctl install again then"
	case own:
		return "put the entry into its template, too, or use --placement own"
	}
	return "put the entry into its template, too"
}

// suitsOwn reports whether the placement own lasts on this node.
func (r Request) suitsOwn(f target) bool {
	r.Placement = Own
	return f.multus == "" && r.suits(f) == nil && !slices.Contains(f.Plugins, "cilium-cni") &&
		(r.Site.Runtime.Kind != conflist.Containerd || r.Site.Runtime.MaxConfNum == 1)
}

// warnOf notes what is known of single products.
func (p *Plan) warnOf(r Request, f target) {
	if f.multus != "" {
		p.note("%s is of Multus, which hands pods on to %s: if it has a copy of that list in its own (delegates), the guard is called once Multus has written it again: restart its pod on this node. Networks of NetworkAttachmentDefinitions are guarded where their own config is a list that ends in {\"type\":\"cni-guard\"}, and only there; guardctl conf names those that this node knows", f.multus, f.Name)
	}
	if r.Placement == Own && slices.Contains(f.Plugins, "cilium-cni") {
		p.note("Cilium renames every other file of the folder to *.cilium_bak, %s as well, unless its cni.exclusive is false: set that, or put the guard into the list that it installs (cni.customConf)", conflist.OwnFile)
	}
	if perRelease(r.named.BinDir) {
		p.note("this k3s makes a folder of plugins for every release, and the next has no guard in it: run guardctl install again after each upgrade of k3s, and before it take the entry out of files that k3s does not write itself")
	}
}

// warnOfAttachments notes the networks that Multus attaches pods to without the guard,
// once the folder is as it will be, and what guards each.
func (p *Plan) warnOfAttachments(r Request, v view) {
	s, err := conflist.Select(v.dir, r.runtimeIn(v))
	if err != nil {
		return // foresee has just read it
	}
	a := assess.Assess(s, assess.Intent{Attachments: inspect.MultusNetworks(r.named, s)})
	for _, problem := range a.Problems {
		if problem.Kind == assess.AttachmentUnguarded {
			p.note("%s %s. %s", assess.QuoteName(r.named.ConfDir), problem.Sentence(), strings.TrimSuffix(problem.Advice(), "."))
		}
	}
}

// perRelease reports a folder of plugins that belongs to one release: k3s before
// v1.31.1 has data/HASH/bin (k3s#10869).
func perRelease(dir string) bool {
	hash := filepath.Base(filepath.Dir(dir))
	return filepath.Base(dir) == "bin" && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == ""
}
