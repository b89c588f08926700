// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// othersInUse explains each file that takes the place of the intended one, or is
// attached beside it.
func (j *judge) othersInUse() {
	e := j.effective()
	if e != nil && !j.right(e) {
		p := Problem{File: e.name, MustStay: j.path(j.intended), Evidence: j.evidence(e)}
		switch {
		case e.role == Rogue && copyOf(e, j.intended):
			p.Kind, p.Minor = CopyInUse, j.in.Network != ""
			p.What = fmt.Sprintf("is a copy of %s, and takes its place", j.portrait(j.intended))
			p.Impact = fmt.Sprintf("pods get what is in the copy, also when %s changes", QuoteName(j.intended.name))
			j.quarantine(&p)
		case e.role == Benign:
			p.Kind, p.Minor, p.Command = SourceInUse, j.in.Network != "", j.install()
			p.What = fmt.Sprintf("sorts before %s, which was made of it, and %s takes it", j.portrait(j.intended), j.title())
			p.Impact = "pods get the same network, and start without the guard"
		case e.role == Rogue:
			p.Kind = RogueInUse
			p.What = fmt.Sprintf("is the rogue: the next pods get it from %s instead of %s", j.title(), j.portrait(j.intended))
			p.Impact = "pods that get it cannot reach the others, and stay unreachable until they are recreated"
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
			p := Problem{Kind: RogueInUse, File: f.name, MustStay: j.path(j.intended), Evidence: j.evidence(f)}
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
		Kind: RogueAttached, File: f.name, MustStay: j.path(j.intended), Evidence: j.evidence(f), Unknown: f.role == Unknown,
		What:   fmt.Sprintf("is a rogue: %s attaches every pod to it (max_conf_num is %d) beside %s", j.title(), j.sel.Runtime.MaxConfNum, j.portrait(j.intended)),
		Impact: "every pod has one more interface and network",
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
		p := Problem{Kind: RogueWaiting, File: f.name, MustStay: j.path(j.intended), Evidence: j.evidence(f), Minor: true}
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
			p.Command = "guardctl conf quarantine " + j.path(f) + j.in.ConfFlags
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

// harmless reports whether pods get the intended network without a file that is not in
// use. To put such a file away changes nothing else.
func (j *judge) harmless(name string) bool {
	then := j.sel.Without(name)
	return then.Effective() != nil && j.inTheWay(then) == nil
}

// quarantine gives a problem the command that puts the files in the way away, or
// says why there is none.
func (j *judge) quarantine(p *Problem) {
	if away := j.plan(); len(away) > 0 {
		for i, name := range away {
			away[i] = quote(j.sel.Path(name))
		}
		p.Command = "guardctl conf quarantine " + strings.Join(away, " ") + j.in.ConfFlags
		return
	}
	if p.Remedy == "" {
		p.Remedy = fmt.Sprintf("run guardctl conf: to put the file away is not enough, as the runtime would not take %s then", j.pathShown(j.intended))
	}
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
		p.Impact = "the next pods get it if CRI-O takes it then"
	} else if called {
		p.What = fmt.Sprintf("sorts before %s, though CRI-O has just called network %q", j.portrait(j.intended), j.in.Network)
		p.Impact = "the next pods get it if CRI-O takes it then"
	} else {
		p.What = fmt.Sprintf("takes the place of %s if %s takes it: that depends on the versions of CNI that its plugins know", j.portrait(j.intended), j.title())
	}
	p.Command, p.Remedy = "guardctl conf", "it asks the plugins, and says whether the file is the rogue"
}

// passing drops a problem with a file that is gone again, and marks one with a file
// that is just being written. It is asked after the file was read. A time in the
// future is that of a clock that was set, and old.
func (j *judge) passing(f *file, p *Problem) {
	if !j.in.DuringAdd {
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
		p.Minor, p.JustWritten = true, true
		p.Command, p.Remedy = "guardctl conf", "it says whether the file is the rogue"
	}
}

func fresh(t time.Time) bool {
	age := time.Since(t)
	return age >= 0 && age < settled
}
