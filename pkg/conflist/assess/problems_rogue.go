// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// addOthersInUse explains each file that takes the place of the intended one, or is
// attached beside it.
func (j *judge) addOthersInUse() {
	e := j.effective()
	if e != nil && !j.isAcceptable(e) {
		j.addInUse(e)
	}
	for _, f := range j.files {
		switch {
		case f == e || f.role != Rogue && f.verdict != conflist.Attached || f.allowed:
		case f.verdict == conflist.Attached:
			j.addAttached(f)
		case f.at < j.intended.at && f.verdict == conflist.Shadowed && e != nil && e.role == Rogue && (f.refused == nil || j.sel.Runtime.Kind == conflist.Containerd):
			p := Problem{Kind: RogueInUse, File: f.name, MustStay: j.quotedPath(j.intended), Evidence: j.evidence(f)}
			p.What = fmt.Sprintf("is a rogue, too: it sorts before %s, and takes its place once those before it are gone", j.describeIntended())
			j.adviseQuarantine(&p)
			j.checkCertainty(f, &p)
			j.checkJustWritten(f, &p)
			j.add(p)
		}
	}
}

// addInUse explains the file that the runtime selects instead of the intended one.
func (j *judge) addInUse(e *file) {
	p := Problem{File: e.name, MustStay: j.quotedPath(j.intended), Evidence: j.evidence(e)}
	switch {
	case e.role == Rogue && isCopyOf(e, j.intended):
		p.Kind, p.Minor = CopyInUse, j.in.Network != ""
		p.What = fmt.Sprintf("is a copy of %s, and takes its place", j.describeIntended())
		p.Impact = fmt.Sprintf("pods get the copy, even after %s changes", QuoteName(j.intended.name))
		j.adviseQuarantine(&p)
	case e.role == Benign:
		p.Kind, p.Minor, p.Command = SourceInUse, j.in.Network != "", j.installCommand()
		p.What = fmt.Sprintf("sorts before %s, which was made from it, and %s selects it", j.describeIntended(), j.runtimeName())
		p.Impact = "pods get the same network, and start without the guard"
	case e.role == Rogue:
		p.Kind = RogueInUse
		p.What = fmt.Sprintf("is the rogue: the next pods get it from %s instead of %s", j.runtimeName(), j.describeIntended())
		p.Impact = "pods that get it cannot reach the others, and stay unreachable until they are recreated"
		j.adviseQuarantine(&p)
	default:
		p.Kind, p.Unknown = IntentUnknown, true
		p.What = fmt.Sprintf("is in use beside %s, and nothing shows which of the two is intended", j.describeIntended())
		p.Remedy = howToDecide
	}
	j.checkCertainty(e, &p)
	j.checkJustWritten(e, &p)
	j.add(p)
}

// addAttached explains a file that containerd attaches beside the intended one.
func (j *judge) addAttached(f *file) {
	p := Problem{
		Kind: RogueAttached, File: f.name, MustStay: j.quotedPath(j.intended), Evidence: j.evidence(f), Unknown: f.role == Unknown,
		What:   "is a rogue",
		Impact: "every pod has one more interface and network",
		Remedy: "set max_conf_num = 1 in the configuration of containerd if pods are to have one network",
	}
	if f.role == Rogue {
		j.adviseQuarantine(&p)
	} else {
		p.What = "is one network too many"
	}
	beside := j.describeIntended()
	if f == j.intended { // Multus is selected, and delegates pods to it: they get its network twice
		beside = nameAndNetwork(j.effective())
	}
	p.What += fmt.Sprintf(": %s attaches every pod to it (max_conf_num is %d) beside %s", j.runtimeName(), j.sel.Runtime.MaxConfNum, beside)
	j.checkJustWritten(f, &p)
	j.add(p)
}

// addOthersWaiting explains the files that could take the place of the intended one.
func (j *judge) addOthersWaiting() {
	served := j.isServed(j.sel)
	for _, f := range j.files {
		blocks := f == j.blocker() && j.sel.Err != nil
		if f.role != Rogue || f.inUse() || blocks || j.hasProblem(f) {
			continue
		}
		p := Problem{Kind: RogueWaiting, File: f.name, MustStay: j.quotedPath(j.intended), Evidence: j.evidence(f), Minor: true}
		switch {
		case f.refused == nil:
			p.What = "is not in use, and could take the place of " + j.describeIntended()
		case f.at < j.intended.at:
			p.What = fmt.Sprintf("sorts before %s, and takes its place once %s no longer refuses it (%v)", j.describeIntended(), j.runtimeName(), f.refused)
		default:
			p.What = fmt.Sprintf("is refused by %s (%v), and could take the place of %s", j.runtimeName(), f.refused, j.describeIntended())
		}
		// As the file is not in use, nothing else changes without it; except that CRI-O may
		// hang on it.
		if served || j.isServed(j.sel.Without(f.name)) {
			p.Command = j.quarantineCommand(f.name)
		} else {
			p.Remedy = "first fix what keeps pods from the intended network, then run guardctl conf again"
		}
		j.checkJustWritten(f, &p)
		j.add(p)
	}
}

// isServed reports whether pods get the intended network, and no other.
func (j *judge) isServed(s conflist.Selection) bool {
	return s.Effective() != nil && j.firstObstacle(s) == nil
}

// adviseQuarantine sets the command that puts away the files that are in the way, or
// says why there is none.
func (j *judge) adviseQuarantine(p *Problem) {
	if names := j.quarantinePlan(); len(names) > 0 {
		p.Command = j.quarantineCommand(names...)
		return
	}
	if p.Remedy == "" {
		p.Remedy = fmt.Sprintf("run guardctl conf: it is not enough to put this file in quarantine, because the runtime would still not select %s", QuoteName(j.sel.Path(j.intended.name)))
	}
}

// checkCertainty makes a problem minor if only the runtime can say whether it selects
// the file: CRI-O and cri-dockerd ask its plugins for the versions that they support. A
// call by CRI-O with our network almost proves that our file was selected.
func (j *judge) checkCertainty(f *file, p *Problem) {
	r := j.sel.Runtime
	called := r.Kind == conflist.CRIO && j.in.Network != ""
	if r.Kind == conflist.Containerd || r.Supports != nil && !called || p.Unknown {
		return
	}
	intended := j.intended.list
	certain := f.list.CNIVersion == intended.CNIVersion && !slices.ContainsFunc(f.list.Types(), func(t string) bool { return !slices.Contains(intended.Types(), t) })
	if certain && !called {
		return
	}
	p.Minor = true
	switch {
	case called && r.HasDefaultNetwork():
		p.What = fmt.Sprintf("has the network of cni_default_network (%q), though CRI-O has just called network %q", r.DefaultNetwork, j.in.Network)
	case called:
		p.What = fmt.Sprintf("sorts before %s, though CRI-O has just called network %q", j.describeIntended(), j.in.Network)
	default:
		p.What = fmt.Sprintf("takes the place of %s if %s accepts it, which depends on the CNI versions that its plugins support", j.describeIntended(), j.runtimeName())
	}
	if called {
		p.Impact = "the next pods get it if CRI-O selects it then"
	}
	p.Command, p.Remedy = "guardctl conf", "it asks the plugins, and says whether the file is the rogue"
}

// checkJustWritten drops a problem during ADD if its file is gone again, and makes it
// minor if the file was just written. It is called after the file was read. A time in the
// future comes from a clock that was set, and counts as old.
func (j *judge) checkJustWritten(f *file, p *Problem) {
	if !j.in.DuringAdd {
		return
	}
	info, err := hostfs.Or(j.sel.Runtime.Files).Lstat(j.sel.Path(f.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		*p = Problem{}
	case err == nil && (justModified(info.ModTime()) || justModified(f.list.ModTime)): // of a link, and of its target
		if !f.read {
			*p = Problem{} // the next pod will see what it is
			return
		}
		p.What = "was modified less than 2 s ago, and if it stays, it " + p.What
		p.Minor, p.JustWritten = true, true
		p.Command, p.Remedy = "guardctl conf", "it says whether the file is the rogue"
	}
}

func justModified(t time.Time) bool {
	age := time.Since(t)
	return age >= 0 && age < settleTime
}
