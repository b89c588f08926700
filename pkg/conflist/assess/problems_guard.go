// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// addGuardMissing reports that pods get the intended network without the guard, though
// the guard is installed.
func (j *judge) addGuardMissing() {
	e := j.effective()
	if e == nil || j.in.Uninstalled || j.in.Network != "" || !j.isAcceptable(e) || e.isGuarded() || j.isDelegateGuarded(e) || e.allowed && e != j.intended {
		return
	}
	if to := j.delegate(e); e.list.Multus() && to != nil && to.isGuarded() {
		j.add(Problem{
			Kind: GuardMissing, File: e.name, MustStay: j.quotedPath(e),
			What:     fmt.Sprintf("is Multus's file, and embeds a copy of %s (below delegates) without cni-guard", QuoteName(to.name)),
			Evidence: fmt.Sprintf("the copy calls %s", quoteNames(e.list.MultusConfig().DelegatePlugins)),
			Impact:   "pods start without the guard",
			Remedy:   "restart the pod of Multus on this node, so that it copies the file again",
		})
		return
	}
	guarded := j.filter(func(f *file) bool { return f.isGuarded() && f != e })
	if j.in.Record == nil && len(guarded) == 0 {
		return
	}
	p := Problem{
		Kind: GuardMissing, File: j.intended.name, MustStay: j.quotedPath(j.intended), Command: j.installCommand(),
		What:   "is the intended file, and cni-guard is not among its plugins",
		Impact: "pods start without the guard",
	}
	switch {
	case len(guarded) > 0:
		p.Evidence = fmt.Sprintf("the guard is in %s, which the runtime does not select", QuoteName(guarded[0].name))
	case j.in.Record.File == j.intended.name:
		p.Evidence = "guardctl install put it there; the file was rewritten since, most likely by the network plugin"
	default:
		p.Evidence = fmt.Sprintf("guardctl install put cni-guard into %s, which is gone", QuoteName(j.in.Record.File))
		j.adviseReplacement(&p)
	}
	j.add(p)
}

// adviseReplacement withdraws the command if the file with the guard is gone and pods get
// another network: guardctl install refuses to guard that unless the file is named.
func (j *judge) adviseReplacement(p *Problem) {
	to, gone := j.intended, QuoteName(j.in.Record.File)
	install := fmt.Sprintf("run guardctl install --file %s%s", printable.Word(to.name), j.in.InstallFlags)
	switch {
	case to.isSample() && !j.in.Record.NamedByOperator:
		p.What, p.Command, p.MustStay = "is a sample that comes with a package, and pods get it", "", ""
		p.Impact = "pods start without the guard, on a network that serves no cluster"
		p.Remedy = fmt.Sprintf("find out why %s is gone: the network plugin writes it when its pod starts on this node; to guard the sample, %s", gone, install)
	case j.basis != ByRecord && j.basis != ByOperator:
		p.What, p.Command = "is the file that pods get, and cni-guard is not among its plugins", ""
		p.Remedy = fmt.Sprintf("if it belongs to the network plugin that this node has now, %s; otherwise put %s back", install, gone)
	}
}

// isDelegateGuarded reports whether a file is Multus's, and the configuration to which it
// delegates pods has the guard: an embedded copy, or else the file.
func (j *judge) isDelegateGuarded(f *file) bool {
	if !f.list.Multus() {
		return false
	}
	if embedded := f.list.MultusConfig().DelegatePlugins; len(embedded) > 0 {
		return slices.Contains(embedded, conflist.GuardType)
	}
	to := j.delegate(f)
	return to != nil && to.isGuarded()
}

// addOwnCopyDiffers reports how the guard's own copy differs from its source.
func (j *judge) addOwnCopyDiffers() {
	own := j.intended
	if !own.isOwnCopy() || !own.isGuarded() || own.refused != nil {
		return
	}
	source := j.sourceOf(own)
	if source == nil || source.refused != nil && !source.isParsed() {
		return
	}
	if difference := own.list.Difference(source.list); difference != "" {
		j.add(Problem{
			Kind: OwnCopyDiffers, File: own.name, MustStay: j.quotedPath(source), Command: j.installCommand(), Minor: j.in.DuringAdd || j.in.Network != "",
			What:   fmt.Sprintf("is the guard's copy of %s, which was changed since: the copy %s", QuoteName(j.sel.Path(source.name)), difference),
			Impact: "pods get the network of the copy",
		})
	}
}

// addUnguardedAttachments reports the additional networks of Multus whose list has no
// guard, if the guard is installed.
func (j *judge) addUnguardedAttachments() {
	if e := j.effective(); e == nil || !e.list.Multus() || !slices.ContainsFunc(j.files, (*file).isGuarded) {
		return
	}
	for _, a := range j.in.Attachments {
		if slices.Contains(a.Plugins, conflist.GuardType) || j.hasNetwork(a.Network) {
			continue
		}
		p := Problem{
			Kind: AttachmentUnguarded, Minor: true,
			What:   fmt.Sprintf("is not the only source of pod networks: Multus also attaches pods to %s, and cni-guard is not among its plugins", DescribeNetwork(a.Network, a.Plugins)),
			Impact: "if the sandbox of such a pod is lost, DEL may delete that interface in another namespace",
			Remedy: `add {"type": "cni-guard"} as the last plugin to the list in the config of that NetworkAttachmentDefinition; a single plugin has to become a list for that`,
		}
		if a.IfName != "" {
			p.Evidence = fmt.Sprintf("a pod of this node had it as %s", QuoteName(a.IfName))
		}
		j.add(p)
	}
}

// hasNetwork reports whether a file of the directory has a network, which then is the
// pods' own.
func (j *judge) hasNetwork(network string) bool {
	return slices.ContainsFunc(j.files, func(f *file) bool { return f.list.Name == network })
}
