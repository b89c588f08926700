// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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
			names = append(names, Shown(f.name))
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
	p := Problem{Kind: NothingLoaded, What: "gives no network: " + plain(j.sel.Err), Pods: "no pod can start"}
	if f := j.stopper(); f != nil {
		p.File, p.What = f.name, fmt.Sprintf("is refused by %s (%v), which then loads nothing from the folder", j.title(), f.refused)
		switch {
		case f == j.intended:
			p.Keep, p.Remedy = j.path(f), "correct the file, or let the network plugin write it again"
			if f.own() {
				p.Command, p.Remedy = j.install(), ""
			}
		case f.role == Rogue:
			p.What = fmt.Sprintf("is a rogue: %s refuses it (%v), and then loads nothing from the folder", j.title(), f.refused)
			p.Evidence, p.Pods = j.evidence(f), fmt.Sprintf("no pod can start after the next reload, not even by %s", Shown(j.intended.name))
			p.Keep = j.path(j.intended)
			j.quarantine(&p)
		default:
			p.Remedy = "correct the file if it is the one of the network plugin; put it in quarantine if it is not"
		}
		j.passing(f, &p)
	} else if p.Remedy = "see whether the network plugin is installed; guardctl conf list shows what was put away here"; j.named() {
		p.Remedy = fmt.Sprintf("put the file of network %q back, or correct cni_default_network in the configuration of CRI-O", j.sel.Runtime.DefaultNetwork)
	}
	if j.sel.Runtime.Kind == conflist.CRIO && j.in.Network != "" || j.in.Waiting && j.sel.Runtime.Kind != conflist.Containerd {
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
		Kind: IntendedRefused, File: f.name, Keep: j.path(f), Minor: j.in.Waiting,
		What:   fmt.Sprintf("is the intended file, and %s refuses it (%v)", j.title(), f.refused),
		Pods:   "the runtime takes another file, or none, until that is mended",
		Remedy: "install what the file needs, or correct it; it must stay",
	}
	if f.own() && !f.parsed() {
		p.Command, p.Remedy = j.install(), ""
	}
	j.add(p)
}

// othersInUse explains each file that takes the place of the intended one, or is
// attached beside it.
func (j *judge) othersInUse() {
	e := j.effective()
	if e != nil && !j.right(e) {
		p := Problem{File: e.name, Keep: j.path(j.intended), Evidence: j.evidence(e)}
		switch {
		case e.role == Rogue && copyOf(e, j.intended):
			p.Kind, p.Minor = CopyInUse, j.in.Network != ""
			p.What = fmt.Sprintf("is a copy of %s, and takes its place", j.portrait(j.intended))
			p.Pods = fmt.Sprintf("pods get what is in the copy, also when %s changes", Shown(j.intended.name))
			j.quarantine(&p)
		case e.role == Benign:
			p.Kind, p.Minor, p.Command = SourceInUse, j.in.Network != "", j.install()
			p.What = fmt.Sprintf("sorts before %s, which was made of it, and %s takes it", j.portrait(j.intended), j.title())
			p.Pods = "pods get the same network, and start without the guard"
		case e.role == Rogue:
			p.Kind = RogueInUse
			p.What = fmt.Sprintf("is the rogue: the next pods get it from %s instead of %s", j.title(), j.portrait(j.intended))
			p.Pods = "pods that get it cannot reach the others, and stay so until they are made anew"
			j.quarantine(&p)
		default:
			p.Kind, p.Unknown = IntentUnknown, true
			p.What = fmt.Sprintf("is in use beside %s, and nothing says which of the two is intended", j.portrait(j.intended))
			p.Remedy = decides
		}
		j.uncertain(e, &p)
		j.passing(e, &p)
		j.add(p)
	}
	for _, f := range j.files {
		switch {
		case f == e || f.role != Rogue && f.verdict != conflist.Attached || f.allowed:
		case f.verdict == conflist.Attached:
			j.attached(f)
		case f.at < j.intended.at && f.verdict == conflist.Shadowed && e != nil && e.role == Rogue && (f.refused == nil || j.sel.Runtime.Kind == conflist.Containerd):
			p := Problem{Kind: RogueInUse, File: f.name, Keep: j.path(j.intended), Evidence: j.evidence(f)}
			p.What = fmt.Sprintf("is a rogue as well: it sorts before %s, and takes its place once those before it are gone", j.portrait(j.intended))
			j.quarantine(&p)
			j.uncertain(f, &p)
			j.passing(f, &p)
			j.add(p)
		}
	}
}

// attached explains a file that containerd attaches beside the intended one.
func (j *judge) attached(f *file) {
	p := Problem{
		Kind: RogueAttached, File: f.name, Keep: j.path(j.intended), Evidence: j.evidence(f), Unknown: f.role == Unknown,
		What: fmt.Sprintf("is a rogue: %s attaches every pod to it (max_conf_num is %d) beside %s", j.title(), j.sel.Runtime.MaxConfNum, j.portrait(j.intended)),
		Pods: "every pod has one more interface and network",
	}
	p.Remedy = "set max_conf_num = 1 in the configuration of containerd if pods are to have one network"
	if f.role == Rogue {
		j.quarantine(&p)
	} else {
		p.What = strings.Replace(p.What, "is a rogue: ", "is one network too many: ", 1)
	}
	j.passing(f, &p)
	j.add(p)
}

// othersWaiting explains the files that could take the place of the intended one.
func (j *judge) othersWaiting() {
	for _, f := range j.files {
		stops := f == j.stopper() && j.sel.Err != nil
		if f.role != Rogue || f.inUse() || stops || j.explained(f) {
			continue
		}
		p := Problem{Kind: RogueWaiting, File: f.name, Keep: j.path(j.intended), Evidence: j.evidence(f), Minor: true}
		switch {
		case !f.read:
			p.What = "lies ready to take the place of " + j.portrait(j.intended)
		case f.refused != nil && f.at < j.intended.at:
			p.What = fmt.Sprintf("sorts before %s, and takes its place once %s no longer refuses it (%v)", j.portrait(j.intended), j.title(), f.refused)
		case f.refused != nil:
			p.What = fmt.Sprintf("is refused by %s (%v), and lies ready to take the place of %s", j.title(), f.refused, j.portrait(j.intended))
		default:
			p.What = "lies ready to take the place of " + j.portrait(j.intended)
		}
		if j.harmless(f.name) {
			p.Command = "guardctl conf quarantine " + j.path(f) + j.in.Flags
		} else {
			p.Remedy = "see first to what keeps pods from the intended network, and run guardctl conf again"
		}
		j.passing(f, &p)
		j.add(p)
	}
}

func (j *judge) explained(f *file) bool {
	return slices.ContainsFunc(j.problems, func(p Problem) bool { return p.File == f.name })
}

// harmless reports whether pods get the intended network, and still get it without a
// file.
func (j *judge) harmless(name string) bool {
	e := j.effective()
	if e == nil || !j.right(e) {
		return false
	}
	then := j.sel.Without(name)
	becomes := then.Effective()
	return becomes != nil && becomes.Name == e.name && j.inTheWay(then) == nil
}

// guardMissing says that pods get the intended network without the guard, though the
// guard is installed.
func (j *judge) guardMissing() {
	e := j.effective()
	if e == nil || j.in.Uninstalled || j.in.Network != "" || !j.right(e) || e.guarded() || j.delegateGuarded(e) || e.allowed && e != j.intended {
		return
	}
	if to := j.delegate(e); e.list.Multus() && to != nil && to.guarded() {
		j.add(Problem{
			Kind: GuardMissing, File: e.name, Keep: j.path(e),
			What:     fmt.Sprintf("is Multus's file, and has a copy of %s (below delegates), in which cni-guard is not", Shown(to.name)),
			Evidence: fmt.Sprintf("the copy calls %s", shownAll(e.list.Handover().DelegatePlugins)),
			Pods:     "pods start without the guard",
			Remedy:   "restart the pod of Multus on this node, which makes the copy again",
		})
		return
	}
	elsewhere := j.filter(func(f *file) bool { return f.guarded() && f != e })
	if j.in.Record == nil && len(elsewhere) == 0 {
		return
	}
	p := Problem{
		Kind: GuardMissing, File: j.intended.name, Keep: j.path(j.intended), Command: j.install(),
		What: "is the intended file, and cni-guard is not among its plugins",
		Pods: "pods start without the guard",
	}
	switch {
	case len(elsewhere) > 0:
		p.Evidence = fmt.Sprintf("the guard is in %s, which pods do not get", Shown(elsewhere[0].name))
	case j.in.Record.File == j.intended.name:
		p.Evidence = "guardctl install put it there; somebody, mostly the network plugin, wrote the file again since"
	default:
		p.Evidence = fmt.Sprintf("guardctl install put it into %s, which is gone", Shown(j.in.Record.File))
	}
	j.add(p)
}

// delegateGuarded reports whether a file is one of Multus that hands pods on to a file
// with the guard, or has a copy of it with the guard.
func (j *judge) delegateGuarded(f *file) bool {
	if !f.list.Multus() {
		return false
	}
	if copied := f.list.Handover().DelegatePlugins; len(copied) > 0 {
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
	if how := own.list.Differs(source.list); how != "" {
		j.add(Problem{
			Kind: OwnCopyDiffers, File: own.name, Keep: j.path(source), Command: j.install(), Minor: j.in.Waiting || j.in.Network != "",
			What: fmt.Sprintf("is the copy with cni-guard in it, and differs from %s, which was changed since: it %s", j.pathShown(source), how),
			Pods: "pods get what is in the copy",
		})
	}
}

// unknown lists the candidates where nothing decides between them.
func (j *judge) unknown() {
	if j.intended != nil || len(j.files) == 0 {
		return
	}
	var candidates []string
	for _, f := range j.files {
		if f.role == Unknown {
			candidates = append(candidates, fmt.Sprintf("%s (%s)", Shown(f.name), describe(f)))
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
		p.Pods = fmt.Sprintf("%s takes %s (%s)", j.title(), Shown(e.name), describe(e))
	}
	if j.conflict != "" {
		p.Evidence = j.conflict
	}
	j.add(p)
}

// decides says what would decide where nothing does.
const decides = "compare the addresses of pods that work with the ranges in these files, and ask which network plugin the cluster has (kubectl -n kube-system get daemonsets); the file of any other one can be put in quarantine"

// multus says what Multus, where the runtime takes it, waits for in vain.
func (j *judge) multus() {
	e := j.effective()
	if e == nil || !e.list.Multus() || j.in.Waiting {
		return
	}
	p := Problem{Kind: MultusIncomplete, File: e.name, Pods: "no pod can start"}
	h := e.list.Handover()
	switch {
	case j.in.DaemonGone != "":
		p.What = "is Multus's file, and Multus is not there any more: " + j.in.DaemonGone
		p.Remedy = "let Multus's DaemonSet run on this node; if Multus was removed from the cluster on purpose, its file was left behind, and is to be removed with it"
	case h.Readiness != "" && j.here(h.Readiness) && !j.there(h.Readiness):
		p.What = fmt.Sprintf("is Multus's file, and Multus waits on every ADD for %s, which is not there", Shown(h.Readiness))
		p.Remedy = "see why the network plugin does not write that file; guardctl conf list shows whether it was put away"
	case h.Delegate == "" && h.ClusterNetwork != "" && filepath.IsAbs(h.ClusterNetwork) && j.here(h.ClusterNetwork) && j.delegate(e) == nil:
		p.What = fmt.Sprintf("is Multus's file, and hands pods on to %s, which is not there", Shown(h.ClusterNetwork))
		p.Remedy = "see why the network plugin does not write that file; guardctl conf list shows whether it was put away"
	default:
		return
	}
	j.add(p)
}

// attachments names the networks that Multus attaches pods to beside their own, and in
// whose list the guard is not. It says so only where the guard is installed.
func (j *judge) attachments() {
	if e := j.effective(); e == nil || !e.list.Multus() || !slices.ContainsFunc(j.files, (*file).guarded) {
		return
	}
	for _, a := range j.in.Attachments {
		if slices.Contains(a.Plugins, conflist.GuardType) || j.hasNetwork(a.Network) {
			continue
		}
		p := Problem{
			Kind: Unguarded, Minor: true,
			What:   fmt.Sprintf("is not all that pods get: Multus attaches them to %s, and cni-guard is not among its plugins", Describe(a.Network, a.Plugins)),
			Pods:   "when the sandbox of such a pod is lost, its interface there is deleted wherever the path leads then",
			Remedy: `add {"type": "cni-guard"} as the last plugin to the list in the config of that NetworkAttachmentDefinition; a single plugin has to become a list for that`,
		}
		if a.IfName != "" {
			p.Evidence = fmt.Sprintf("a pod of this node had it as %s", Shown(a.IfName))
		}
		j.add(p)
	}
}

// hasNetwork reports whether a file of the folder has a network: that is a pod's own.
func (j *judge) hasNetwork(network string) bool {
	return slices.ContainsFunc(j.files, func(f *file) bool { return f.list.Name == network })
}

// here reports whether a path, perhaps one of a container, is of the folder.
func (j *judge) here(path string) bool {
	dir := filepath.Dir(path)
	return dir == j.sel.Dir || strings.HasSuffix(dir, "/etc/cni/net.d") && strings.HasSuffix(j.sel.Dir, "/etc/cni/net.d")
}

func (j *judge) there(path string) bool {
	_, err := os.Stat(j.sel.Path(filepath.Base(path)))
	return !errors.Is(err, fs.ErrNotExist)
}

// quarantine gives a problem the command that puts the files in the way away, or
// says why there is none.
func (j *judge) quarantine(p *Problem) {
	if away := j.plan(); len(away) > 0 {
		for i, name := range away {
			away[i] = quote(j.sel.Path(name))
		}
		p.Command = "guardctl conf quarantine " + strings.Join(away, " ") + j.in.Flags
		return
	}
	if p.Remedy == "" {
		p.Remedy = fmt.Sprintf("run guardctl conf: to put the file away is not enough, as the runtime would not take %s then", j.pathShown(j.intended))
	}
}

// install returns the command that puts the guard where it belongs.
func (j *judge) install() string {
	placement := ""
	if j.in.Record != nil {
		placement = j.in.Record.Placement
	}
	if j.intended != nil && j.intended.name == OwnFile {
		placement = "own"
	}
	if placement == "" || placement == "inline" {
		return "guardctl install" + j.in.InstallFlags
	}
	return "guardctl install --placement " + placement + j.in.InstallFlags
}

// uncertain marks a file of which only the runtime can say whether it takes it: CRI-O
// and cri-dockerd ask its plugins for the versions that they know. A call by CRI-O
// with our network is near proof that our file was taken.
func (j *judge) uncertain(f *file, p *Problem) {
	r := j.sel.Runtime
	called := r.Kind == conflist.CRIO && j.in.Network != ""
	if r.Kind == conflist.Containerd || r.Supports != nil && !called || p.Unknown {
		return
	}
	own := j.intended.list.Types()
	certain := f.list.CNIVersion == j.intended.list.CNIVersion && !slices.ContainsFunc(f.list.Types(), func(t string) bool { return !slices.Contains(own, t) })
	if certain && !called {
		return
	}
	p.Minor = true
	if called && j.named() {
		p.What = fmt.Sprintf("has the network of cni_default_network (%q), though CRI-O has just called network %q", r.DefaultNetwork, j.in.Network)
		p.Pods = "the next pods get it if CRI-O takes it then"
	} else if called {
		p.What = fmt.Sprintf("sorts before %s, though CRI-O has just called network %q", j.portrait(j.intended), j.in.Network)
		p.Pods = "the next pods get it if CRI-O takes it then"
	} else {
		p.What = fmt.Sprintf("takes the place of %s if %s takes it: that depends on the versions of CNI that its plugins know", j.portrait(j.intended), j.title())
	}
	p.Command, p.Remedy = "guardctl conf", "it asks the plugins, and says whether the file is the rogue"
}

// passing drops a problem with a file that is gone again, and marks one with a file
// that is just being written. It is asked after the file was read. A time in the
// future is that of a clock that was set, and old.
func (j *judge) passing(f *file, p *Problem) {
	if !j.in.Waiting {
		return
	}
	info, err := os.Lstat(j.sel.Path(f.name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		*p = Problem{}
	case err == nil && (fresh(info.ModTime()) || fresh(f.list.ModTime)): // of a link, and of the file that it leads to
		if !f.read {
			*p = Problem{} // the next pod sees what it is
			return
		}
		p.What = "is just being written, and if it stays: " + p.What
		p.Minor, p.Passing = true, true
		p.Command, p.Remedy = "guardctl conf", "it says whether the file is the rogue"
	}
}

func fresh(t time.Time) bool {
	age := time.Since(t)
	return age >= 0 && age < settled
}
