// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// findProblems lists what is wrong, the worst first.
func (j *judge) findProblems() {
	if !j.readable {
		j.unreadable()
		return
	}
	j.nothingLoaded()
	j.intendedRefused()
	j.unknown()
	if j.intended != nil {
		j.othersInUse()
		j.guardMissing()
		j.ownDiffers()
		j.othersWaiting()
	}
	j.multus()
	j.attachments()
	if j.in.NoOtherFile {
		j.notAlone()
	}
}

// notAlone makes other files no minor problems, but for those that are just being
// written: they may be gone in an instant.
func (j *judge) notAlone() {
	for i := range j.problems {
		p := &j.problems[i]
		if (p.Kind == RogueWaiting || p.Kind == RogueInUse) && p.Minor && !p.JustWritten {
			p.Minor = false
			p.What += `, and the scope "any" of the check conflist allows no other file`
		}
	}
}

// add lists a problem, unless its file is gone again.
func (j *judge) add(p Problem) {
	if p.Kind != "" {
		j.problems = append(j.problems, p)
	}
}

// unreadable says which files this user may not read.
func (j *judge) unreadable() {
	var names []string
	for _, f := range j.files {
		if f.unreadable() {
			names = append(names, QuoteName(f.name))
		}
	}
	j.add(Problem{
		Kind: Unreadable, Unknown: true,
		What:   fmt.Sprintf("could not be judged: this user may not read %s", strings.Join(names, ", ")),
		Remedy: "run it as root of the node",
	})
}

// nothingLoaded explains why the runtime loads nothing at all.
func (j *judge) nothingLoaded() {
	if j.sel.Err == nil || j.sel.Runtime.Kind == 0 {
		return
	}
	p := Problem{Kind: NothingLoaded, What: "gives no network: " + plain(j.sel.Err), Impact: "no pod can start"}
	if f := j.stopper(); f != nil {
		p.File, p.What = f.name, fmt.Sprintf("is refused by %s (%v), which then loads nothing from the folder", j.title(), f.refused)
		switch {
		case f == j.intended:
			p.MustStay, p.Remedy = j.path(f), "correct the file, or let the network plugin write it again"
			if f.own() {
				p.Command, p.Remedy = j.install(), ""
			}
		case f.role == Rogue:
			p.What = fmt.Sprintf("is a rogue: %s refuses it (%v), and then loads nothing from the folder", j.title(), f.refused)
			p.Evidence, p.Impact = j.evidence(f), fmt.Sprintf("no pod can start after the next reload, not even by %s", QuoteName(j.intended.name))
			p.MustStay = j.path(j.intended)
			j.quarantine(&p)
		default:
			p.Remedy = "correct the file if it is the one of the network plugin; put it in quarantine if it is not"
		}
		j.passing(f, &p)
	} else if p.Remedy = "see whether the network plugin is installed; guardctl conf list shows what was put away here"; j.named() {
		p.Remedy = fmt.Sprintf("put the file of network %q back, or correct cni_default_network in the configuration of CRI-O", j.sel.Runtime.DefaultNetwork)
	}
	if j.sel.Runtime.Kind == conflist.CRIO && j.in.Network != "" || j.in.DuringAdd && j.sel.Runtime.Kind != conflist.Containerd {
		p.Minor = true // the runtime has just called
	}
	j.add(p)
}

// stopper returns the file because of which the runtime loads nothing.
func (j *judge) stopper() *file {
	for _, f := range j.files {
		if f.verdict == conflist.Invalid && j.sel.Runtime.Kind == conflist.Containerd {
			return f
		}
	}
	return nil
}

func (j *judge) named() bool {
	return j.sel.Runtime.Kind == conflist.CRIO && j.sel.Runtime.DefaultNetwork != ""
}

// intendedRefused explains why CRI-O or cri-dockerd do not take the intended file.
func (j *judge) intendedRefused() {
	f := j.intended
	if f == nil || f.refused == nil || j.stopper() == f {
		return
	}
	p := Problem{
		Kind: IntendedRefused, File: f.name, MustStay: j.path(f), Minor: j.in.DuringAdd,
		What:   fmt.Sprintf("is the intended file, and %s refuses it (%v)", j.title(), f.refused),
		Impact: "the runtime takes another file, or none, until that is mended",
		Remedy: "install what the file needs, or correct it; it must stay",
	}
	if f.own() && !f.parsed() {
		p.Command, p.Remedy = j.install(), ""
	}
	j.add(p)
}

// unknown lists the candidates where nothing decides between them.
func (j *judge) unknown() {
	if j.intended != nil || len(j.files) == 0 {
		return
	}
	var candidates []string
	for _, f := range j.files {
		if f.role == Unknown {
			candidates = append(candidates, fmt.Sprintf("%s (%s)", QuoteName(f.name), describe(f)))
		}
	}
	if len(candidates) < 2 && j.conflict == "" {
		return
	}
	p := Problem{
		Kind: IntentUnknown, Unknown: true,
		What:   "has several files that may be the intended one: " + strings.Join(candidates, ", "),
		Remedy: decides,
	}
	if e := j.effective(); e != nil {
		p.Impact = fmt.Sprintf("%s takes %s (%s)", j.title(), QuoteName(e.name), describe(e))
	}
	if j.conflict != "" {
		p.Evidence = j.conflict
	}
	j.add(p)
}

// decides says what would decide where nothing does.
const decides = "compare the addresses of pods that work with the ranges in these files, and ask which network plugin the cluster has (kubectl -n kube-system get daemonsets); the file of any other one can be put in quarantine"
