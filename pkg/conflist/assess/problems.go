// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// findProblems lists the problems, the worst first.
func (j *judge) findProblems() {
	if !j.readable {
		j.addUnreadable()
		return
	}
	j.addNothingLoaded()
	j.addIntendedRefused()
	j.addIntentUnknown()
	if j.intended != nil {
		j.addOthersInUse()
		j.addGuardMissing()
		j.addOwnCopyDiffers()
		j.addOthersWaiting()
	}
	j.addMultusIncomplete()
	j.addUnguardedAttachments()
	if j.in.NoOtherFile {
		j.applyNoOtherFile()
	}
}

// add appends a problem, unless it is zero because its file is gone again.
func (j *judge) add(p Problem) {
	if p.Kind != "" {
		j.problems = append(j.problems, p)
	}
}

func (j *judge) hasProblem(f *file) bool {
	return slices.ContainsFunc(j.problems, func(p Problem) bool { return p.File == f.name })
}

// applyNoOtherFile makes problems with other files serious, unless the file was just
// written: it may be gone again in a moment.
func (j *judge) applyNoOtherFile() {
	for i := range j.problems {
		p := &j.problems[i]
		if (p.Kind == RogueWaiting || p.Kind == RogueInUse) && p.Minor && !p.JustWritten {
			p.Minor = false
			p.What += `, and the scope "any" of the check conflist allows no other file`
		}
	}
}

func (j *judge) addUnreadable() {
	var names []string
	for _, f := range j.filter((*file).isUnreadable) {
		names = append(names, f.name)
	}
	j.add(Problem{
		Kind: Unreadable, Unknown: true,
		What:   "could not be judged: this user may not read " + quoteNames(names),
		Remedy: "run it as root of the node",
	})
}

// addNothingLoaded explains why the runtime loads nothing at all.
func (j *judge) addNothingLoaded() {
	r := j.sel.Runtime
	if j.sel.Err == nil || r.Kind == 0 {
		return
	}
	p := Problem{Kind: NothingLoaded, What: "has no usable network: " + withoutPrefix(j.sel.Err), Impact: "no pod can start"}
	if f := j.blocker(); f != nil {
		p.File, p.What = f.name, fmt.Sprintf("is refused by %s (%v), which then loads nothing from the directory", j.runtimeName(), f.refused)
		switch {
		case f == j.intended:
			p.MustStay, p.Remedy = j.quotedPath(f), "correct the file, or let the network plugin write it again"
			if f.isOwnCopy() {
				p.Command, p.Remedy = j.installCommand(), ""
			}
		case f.role == Rogue:
			p.What = fmt.Sprintf("is a rogue: %s refuses it (%v), and then loads nothing from the directory", j.runtimeName(), f.refused)
			p.Evidence, p.Impact = j.evidence(f), fmt.Sprintf("no pod can start after the next reload, not even by %s", QuoteName(j.intended.name))
			p.MustStay = j.quotedPath(j.intended)
			j.adviseQuarantine(&p)
		default:
			p.Remedy = "correct the file if it belongs to the network plugin; otherwise put it in quarantine"
		}
		j.checkJustWritten(f, &p)
	} else if r.HasDefaultNetwork() {
		p.Remedy = fmt.Sprintf("put the file of network %q back, or correct cni_default_network in the configuration of CRI-O", r.DefaultNetwork)
	} else {
		p.Remedy = "check whether the network plugin is installed; guardctl conf list shows the files in quarantine"
	}
	if r.Kind == conflist.CRIO && j.in.Network != "" || j.in.DuringAdd && r.Kind != conflist.Containerd {
		p.Minor = true // the runtime has just called
	}
	j.add(p)
}

// blocker returns the file that keeps containerd from loading anything.
func (j *judge) blocker() *file {
	for _, f := range j.files {
		if f.verdict == conflist.Invalid && j.sel.Runtime.Kind == conflist.Containerd {
			return f
		}
	}
	return nil
}

// addIntendedRefused explains why CRI-O or cri-dockerd do not select the intended file.
func (j *judge) addIntendedRefused() {
	f := j.intended
	if f == nil || f.refused == nil || j.blocker() == f {
		return
	}
	p := Problem{
		Kind: IntendedRefused, File: f.name, MustStay: j.quotedPath(f), Minor: j.in.DuringAdd,
		What:   fmt.Sprintf("is the intended file, and %s refuses it (%v)", j.runtimeName(), f.refused),
		Impact: "until that is fixed, the runtime selects another file, or none",
		Remedy: "correct the file, or install what it needs; do not remove it",
	}
	if f.isOwnCopy() && !f.isParsed() {
		p.Command, p.Remedy = j.installCommand(), ""
	}
	j.add(p)
}

// addIntentUnknown lists the candidates if nothing decides between them.
func (j *judge) addIntentUnknown() {
	if j.intended != nil || len(j.files) == 0 {
		return
	}
	var candidates []string
	for _, f := range j.files {
		if f.role == Unknown {
			candidates = append(candidates, nameAndNetwork(f))
		}
	}
	if len(candidates) < 2 && j.conflict == "" {
		return
	}
	p := Problem{
		Kind: IntentUnknown, Unknown: true, Evidence: j.conflict, Remedy: howToDecide,
		What: "has several files that may be the intended one: " + strings.Join(candidates, ", "),
	}
	if e := j.effective(); e != nil {
		p.Impact = fmt.Sprintf("%s selects %s", j.runtimeName(), nameAndNetwork(e))
	}
	j.add(p)
}

// howToDecide is the remedy if nothing decides which file is intended.
const howToDecide = "find out which network plugin the cluster has (kubectl -n kube-system get daemonsets), and which of these files has the address range of pods that work; any other file can be put in quarantine"

// addMultusIncomplete reports that Multus, which the runtime selects, waits for something
// that does not exist.
func (j *judge) addMultusIncomplete() {
	e := j.effective()
	if e == nil || !e.list.Multus() || j.in.DuringAdd {
		return
	}
	p := Problem{Kind: MultusIncomplete, File: e.name, Impact: "no pod can start",
		Remedy: "find out why the network plugin does not write that file; guardctl conf list shows whether it is in quarantine"}
	c := e.list.MultusConfig()
	switch {
	case j.in.DaemonGone != "":
		p.What = "is Multus's file, but Multus is gone: " + j.in.DaemonGone
		p.Remedy = "run Multus's DaemonSet on this node; if Multus was uninstalled, remove its file, which was left behind"
	case c.ReadinessFile != "" && j.isMissing(c.ReadinessFile):
		p.What = fmt.Sprintf("is Multus's file, and Multus waits on every ADD for %s, which does not exist", QuoteName(c.ReadinessFile))
	case c.Delegate == "" && filepath.IsAbs(c.ClusterNetwork) && j.isInConfDir(c.ClusterNetwork) && j.delegate(e) == nil:
		p.What = fmt.Sprintf("is Multus's file, and delegates pods to %s, which does not exist", QuoteName(c.ClusterNetwork))
	default:
		return
	}
	j.add(p)
}

// isInConfDir reports whether a path, which may be a container's, is in the directory.
func (j *judge) isInConfDir(path string) bool {
	dir := filepath.Dir(path)
	return dir == j.sel.Dir || strings.HasSuffix(dir, "/etc/cni/net.d") && strings.HasSuffix(j.sel.Dir, "/etc/cni/net.d")
}

// isMissing reports whether a path is in the directory and does not exist.
func (j *judge) isMissing(path string) bool {
	_, err := hostfs.Or(j.sel.Runtime.Files).Stat(j.sel.Path(filepath.Base(path)))
	return j.isInConfDir(path) && errors.Is(err, fs.ErrNotExist)
}
