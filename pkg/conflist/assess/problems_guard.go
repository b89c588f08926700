// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// guardMissing says that pods get the intended network without the guard, though the
// guard is installed.
func (j *judge) guardMissing() {
	e := j.effective()
	if e == nil || j.in.Uninstalled || j.in.Network != "" || !j.right(e) || e.guarded() || j.delegateGuarded(e) || e.allowed && e != j.intended {
		return
	}
	if to := j.delegate(e); e.list.Multus() && to != nil && to.guarded() {
		j.add(Problem{
			Kind: GuardMissing, File: e.name, MustStay: j.path(e),
			What:     fmt.Sprintf("is Multus's file, and has a copy of %s (below delegates), in which cni-guard is not", QuoteName(to.name)),
			Evidence: fmt.Sprintf("the copy calls %s", shownAll(e.list.MultusConfig().DelegatePlugins)),
			Impact:   "pods start without the guard",
			Remedy:   "restart the pod of Multus on this node, which makes the copy again",
		})
		return
	}
	elsewhere := j.filter(func(f *file) bool { return f.guarded() && f != e })
	if j.in.Record == nil && len(elsewhere) == 0 {
		return
	}
	p := Problem{
		Kind: GuardMissing, File: j.intended.name, MustStay: j.path(j.intended), Command: j.install(),
		What:   "is the intended file, and cni-guard is not among its plugins",
		Impact: "pods start without the guard",
	}
	switch {
	case len(elsewhere) > 0:
		p.Evidence = fmt.Sprintf("the guard is in %s, which pods do not get", QuoteName(elsewhere[0].name))
	case j.in.Record.File == j.intended.name:
		p.Evidence = "guardctl install put it there; somebody, most likely the network plugin, has rewritten the file since"
	default:
		p.Evidence = fmt.Sprintf("guardctl install put cni-guard into %s, which is gone", QuoteName(j.in.Record.File))
		j.replaced(&p)
	}
	j.add(p)
}

// replaced withdraws the command where the file with the guard is gone and pods get one
// of another network: guardctl install refuses to guard it unless it is named.
func (j *judge) replaced(p *Problem) {
	to, gone := j.intended, QuoteName(j.in.Record.File)
	named := fmt.Sprintf("run guardctl install --file %s%s", quote(to.name), j.in.InstallFlags)
	switch {
	case to.sample() && !j.in.Record.NamedByOperator:
		p.What, p.Command, p.MustStay = "is a sample that comes with a package, and pods get it", "", ""
		p.Impact = "pods start without the guard, on a network that serves no cluster"
		p.Remedy = fmt.Sprintf("see why %s is gone: the network plugin writes it when its pod starts on this node; to guard the sample, %s", gone, named)
	case j.basis != ByRecord && j.basis != ByOperator:
		p.What, p.Command = "is the file that pods get, and cni-guard is not among its plugins", ""
		p.Remedy = fmt.Sprintf("if it is the file of the network plugin that this node has now, %s; if it is not, put %s back", named, gone)
	}
}

// delegateGuarded reports whether a file is one of Multus that hands pods on to a file
// with the guard, or has a copy of it with the guard.
func (j *judge) delegateGuarded(f *file) bool {
	if !f.list.Multus() {
		return false
	}
	if copied := f.list.MultusConfig().DelegatePlugins; len(copied) > 0 {
		return slices.Contains(copied, conflist.GuardType)
	}
	to := j.delegate(f)
	return to != nil && to.guarded()
}

// ownDiffers says in what the guard's own copy differs from its source.
func (j *judge) ownDiffers() {
	own := j.intended
	if !own.own() || !own.guarded() || own.refused != nil {
		return
	}
	source := j.sourceOf(own)
	if source == nil || source.refused != nil && !source.parsed() {
		return
	}
	if how := own.list.Difference(source.list); how != "" {
		j.add(Problem{
			Kind: OwnCopyDiffers, File: own.name, MustStay: j.path(source), Command: j.install(), Minor: j.in.DuringAdd || j.in.Network != "",
			What:   fmt.Sprintf("is the copy with cni-guard in it, and differs from %s, which was changed since: it %s", j.pathShown(source), how),
			Impact: "pods get what is in the copy",
		})
	}
}

// install returns the command that puts the guard where it belongs.
func (j *judge) install() string {
	placement := ""
	if j.in.Record != nil {
		placement = j.in.Record.Placement
	}
	if j.intended != nil && j.intended.name == conflist.OwnFile {
		placement = "own"
	}
	if placement == "" || placement == "inline" {
		return "guardctl install" + j.in.InstallFlags
	}
	return "guardctl install --placement " + placement + j.in.InstallFlags
}
