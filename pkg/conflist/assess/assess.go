// SPDX-License-Identifier: Apache-2.0

// Package assess judges a CNI config directory: which file the operator intends, what
// role every other file has, what is wrong, and what to do about it.
//
// It is the only place that decides this. The check conflist and the guardctl commands
// conf, doctor and install call [Assess]. Package conflist determines what a runtime
// selects; an [Intent] says what the operator wants.
//
// Two rules hold everywhere. If the evidence does not decide, the answer is unknown,
// with the candidates and without a command. And no command leaves a directory in which
// the runtime selects nothing, or another network than the intended one.
//
// Plugins that run for every pod import this package. It reads no file that the answer
// does not need, and links nothing that pkg/conflist does not link.
package assess

import (
	"slices"
	"time"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// An Assessment is the result of Assess.
type Assessment struct {
	Selection conflist.Selection // what was judged
	// Intended is the name of the file that the operator intends, "" if that is unknown.
	Intended string
	Basis    Basis // what decided it
	// Candidates are the files that may be the intended one, if that is unknown.
	Candidates []string
	// Files are the loadable files in the order of the loader, each with a role.
	Files []File
	// Problems are sorted by severity, the worst first.
	Problems []Problem

	judge *judge
}

// A File is a loadable file with its role.
type File struct {
	conflist.File
	Role Role
	// Why completes a sentence that begins with the name: "is the intended file: …".
	Why string
	// Author is the product that probably wrote the file; "" if that is unknown, and
	// during ADD.
	Author string
}

// Role returns the role of a file; the zero Role for a file that no runtime loads.
func (a Assessment) Role(name string) Role { return a.file(name).Role }

func (a Assessment) file(name string) File {
	if i := slices.IndexFunc(a.Files, func(f File) bool { return f.Name == name }); i >= 0 {
		return a.Files[i]
	}
	return File{}
}

// Inconclusive reports whether the evidence did not decide, or could not be read: some
// problem is marked Unknown.
func (a Assessment) Inconclusive() bool {
	return slices.ContainsFunc(a.Problems, func(p Problem) bool { return p.Unknown })
}

// Assess judges a config directory. With a selection of [conflist.SelectLazy] it reads
// further files only if the answer needs them.
func Assess(s conflist.Selection, in Intent) Assessment {
	j := &judge{sel: s, in: in, budget: maxDescribed}
	for i, f := range s.Files {
		if f.Verdict == conflist.NotLoadable {
			continue
		}
		entry := &file{name: f.Name, at: i, verdict: f.Verdict, allowed: in.allows(f.Name)}
		if !f.Unread {
			j.read(entry)
		}
		j.files = append(j.files, entry)
	}
	j.readable = !slices.ContainsFunc(j.files, (*file).isUnreadable)
	if j.readable {
		j.findIntended()
	}
	j.assignRoles()
	j.findProblems()
	return j.assessment()
}

// CallingFile returns the file that a call of in.Network came from, without judging the
// others. If in.Network is "" it is the first file with the guard. It reports false if
// the directory has no such file.
func CallingFile(s conflist.Selection, in Intent) (name string, ok bool) {
	for _, allowed := range []bool{false, true} {
		for _, f := range s.Files {
			if f.Verdict == conflist.NotLoadable || in.allows(f.Name) != allowed {
				continue
			}
			l, _ := s.Read(f.Name)
			if l.Guarded() && (in.Network == "" || l.Name == in.Network) {
				return f.Name, true
			}
		}
	}
	return "", false
}

// maxDescribed is how many files that are not in use are read during ADD, only to
// describe them.
const maxDescribed = 3

// A judge is the state of one Assess.
type judge struct {
	sel   conflist.Selection
	in    Intent
	files []*file

	readable bool // this user may read all files
	budget   int  // how many more files may be read to describe them
	budgeted bool // the budget applies

	intended *file
	basis    Basis
	conflict string // why the evidence does not decide, if there is some
	problems []Problem

	intendedSentence, intendedDescription string // see describeIntended and evidence
}

// read reads a file once, if the budget allows it.
func (j *judge) read(f *file) *file {
	if f.read || j.budgeted && j.budget <= 0 {
		return f
	}
	if j.budgeted {
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

func without(files []*file, is func(*file) bool) []*file {
	return slices.DeleteFunc(slices.Clone(files), is)
}

// effective returns the file that the runtime selects, nil if there is none.
func (j *judge) effective() *file {
	if i := slices.IndexFunc(j.files, func(f *file) bool { return f.verdict == conflist.Selected }); i >= 0 {
		return j.files[i]
	}
	return nil
}

// isAcceptable reports whether pods get what the operator wants if the runtime selects
// a file.
func (j *judge) isAcceptable(f *file) bool { return f.allowed || j.servesIntended(f) }

// servesIntended reports whether pods get the intended network if the runtime selects a
// file: it is the intended one, or Multus's and delegates pods to it.
func (j *judge) servesIntended(f *file) bool {
	in := j.intended
	return f == in || in != nil && in.isParsed() && f.refused == nil && f.list.Multus() &&
		(f.list.DelegatesTo(in.name, in.list.Name) || in.list.Multus())
}

func (j *judge) assessment() Assessment {
	a := Assessment{Selection: j.sel, Basis: j.basis, Problems: j.problems, Files: make([]File, 0, len(j.files)), judge: j}
	if j.intended != nil {
		a.Intended = j.intended.name
	}
	for _, f := range j.files {
		of := File{File: j.sel.Files[f.at], Role: f.role, Why: f.reason}
		if of.Unread && f.read {
			of.Network, of.CNIVersion, of.Plugins, of.ModTime, of.Unread = f.list.Name, f.list.CNIVersion, f.list.Types(), f.list.ModTime, false
		}
		if !j.readable {
			of.Verdict, of.Reason = 0, "could not be read by this user"
			if !f.isUnreadable() {
				of.Reason = "could be read"
			}
		}
		if !j.in.DuringAdd {
			of.Author = author(f)
		}
		a.Files = append(a.Files, of)
		if j.intended == nil && f.role == Unknown {
			a.Candidates = append(a.Candidates, f.name)
		}
	}
	return a
}

// settleTime is how old a file must be before a pod is refused because of it. A program
// that replaces a file may write another beside it for an instant, or the file itself
// in pieces.
const settleTime = 2 * time.Second
