// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// An Assessment is what Assess found.
type Assessment struct {
	// Selection is what was judged.
	Selection conflist.Selection
	// Intended is the name of the file that the operator intends, "" where that is
	// unknown; Basis says what decided it.
	Intended string
	Basis    Basis
	// Candidates are the files that may be the intended one, where it is unknown.
	Candidates []string
	// Files are the loadable files in the order of the loader, each with a role.
	Files []File
	// Problems are what is wrong, the worst first.
	Problems []Problem

	judged *judge
}

// A File is a file of the folder as it was judged.
type File struct {
	conflist.File
	Role Role
	// Why completes a sentence that begins with the name: "is the intended file: …".
	Why string
	// Author is who probably wrote it, "" where nothing tells.
	Author string
}

// Role returns the role of a file by its name; the zero Role for a file that no
// runtime loads.
func (a Assessment) Role(name string) Role {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Role
		}
	}
	return 0
}

// Inconclusive reports whether the evidence did not decide, or could not be read: some
// problem is marked Unknown.
func (a Assessment) Inconclusive() bool {
	return slices.ContainsFunc(a.Problems, func(p Problem) bool { return p.Unknown })
}

// Assess judges a folder. The selection may be one of [conflist.SelectLazy]; then a file
// is read only where the answer needs it.
func Assess(s conflist.Selection, in Intent) Assessment {
	j := &judge{sel: s, in: in, budget: described}
	for i, f := range s.Files {
		if f.Verdict == conflist.NotLoadable {
			continue
		}
		entry := &file{name: f.Name, at: i, verdict: f.Verdict, allowed: in.allows(f.Name)}
		if !f.Unread {
			j.look(entry)
		}
		j.files = append(j.files, entry)
	}
	j.readable = !slices.ContainsFunc(j.files, (*file).unreadable)
	if j.readable {
		j.intend()
	}
	j.assignRoles()
	j.findProblems()
	return j.assessment()
}

// CallingFile returns the file that a call of in.Network came from, without judging the
// others; ok is false if there is none in the folder. With the network "" it is the
// first file with the guard.
func CallingFile(s conflist.Selection, in Intent) (name string, ok bool) {
	for _, allowed := range []bool{false, true} {
		for _, f := range s.Files {
			if f.Verdict == conflist.NotLoadable || in.allows(f.Name) != allowed {
				continue
			}
			l, _ := s.Read(f.Name)
			if slices.Contains(l.Types(), conflist.GuardType) && (in.Network == "" || l.Name == in.Network) {
				return f.Name, true
			}
		}
	}
	return "", false
}

// described is how many files that only wait are read to be described, while a pod
// waits for the answer.
const described = 3

// A judge is the state of one Assess.
type judge struct {
	sel   conflist.Selection
	in    Intent
	files []*file

	readable bool // this user may read all files
	budget   int  // how many more files are read for a description, while a pod waits
	limited  bool // the budget holds

	intended *file
	basis    Basis
	conflict string // why nothing decides, though there is evidence
	problems []Problem
}

// look reads a file once, where the budget allows it.
func (j *judge) look(f *file) *file {
	if f.read || j.limited && j.budget <= 0 {
		return f
	}
	if j.limited {
		j.budget--
	}
	f.list, f.refused = j.sel.Read(f.name)
	f.read = true
	return f
}

func (j *judge) find(name string) *file {
	if i := slices.IndexFunc(j.files, func(f *file) bool { return f.name == name }); i >= 0 {
		return j.files[i]
	}
	return nil
}

func (j *judge) filter(is func(*file) bool) (some []*file) {
	for _, f := range j.files {
		if is(f) {
			some = append(some, f)
		}
	}
	return some
}

func without(files []*file, is func(*file) bool) (rest []*file) {
	for _, f := range files {
		if !is(f) {
			rest = append(rest, f)
		}
	}
	return rest
}

// effective returns the file that the runtime takes, nil if none.
func (j *judge) effective() *file {
	if i := slices.IndexFunc(j.files, func(f *file) bool { return f.verdict == conflist.Selected }); i >= 0 {
		return j.files[i]
	}
	return nil
}

// right reports whether pods get what the operator wants where the runtime takes a file.
func (j *judge) right(f *file) bool { return f.allowed || j.serves(f) }

// serves reports whether pods get the intended network where the runtime takes a file.
func (j *judge) serves(f *file) bool {
	in := j.intended
	return f == in || in != nil && in.parsed() && f.refused == nil && f.list.Multus() &&
		(f.list.DelegatesTo(in.name, in.list.Name) || in.list.Multus())
}

// plan returns the files to put in quarantine together, so that the runtime takes the
// right file and attaches no other, those in use last; nil where no choice does that.
func (j *judge) plan() []string {
	if j.intended == nil {
		return nil
	}
	var away []string
	for range j.files {
		s := j.sel.Without(away...)
		next := j.inTheWay(s)
		if next == nil {
			e := s.Effective()
			if e == nil || !j.serves(j.find(e.Name)) {
				return nil
			}
			slices.Reverse(away)
			return away
		}
		if next.role != Rogue && !(next.role == Benign && next.sample()) {
			return nil
		}
		away = append(away, next.name)
	}
	return nil
}

// inTheWay returns the first file that keeps the runtime from taking the right one,
// or is attached beside it.
func (j *judge) inTheWay(s conflist.Selection) *file {
	for _, f := range s.Files {
		of := j.find(f.Name)
		switch {
		case of == nil:
		case f.Verdict == conflist.Selected && !j.right(of), f.Verdict == conflist.Attached && of.role != Keep && !of.allowed:
			return of
		case f.Verdict == conflist.Invalid && s.Err != nil && s.Runtime.Kind == conflist.Containerd:
			return of
		}
	}
	return nil
}

func (j *judge) assessment() Assessment {
	a := Assessment{Selection: j.sel, Basis: j.basis, Problems: j.problems, judged: j}
	if j.intended != nil {
		a.Intended = j.intended.name
	}
	for _, f := range j.files {
		was := j.sel.Files[f.at]
		if was.Unread && f.read {
			was.Network, was.CNIVersion, was.Plugins, was.ModTime, was.Unread = f.list.Name, f.list.CNIVersion, f.list.Types(), f.list.ModTime, false
		}
		if !j.readable {
			was.Verdict, was.Reason = 0, "could not be read by this user"
			if !f.unreadable() {
				was.Reason = "could be read"
			}
		}
		a.Files = append(a.Files, File{File: was, Role: f.role, Why: f.reason, Author: author(f)})
		if j.intended == nil && f.role == Unknown {
			a.Candidates = append(a.Candidates, f.name)
		}
	}
	return a
}

// settled is how old a file must be before a pod is refused for it. Whoever replaces
// a file may write another beside it for an instant, or the file itself in pieces.
const settled = 2 * time.Second
