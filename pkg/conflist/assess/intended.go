// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// findIntended finds the intended file: the first rule with an answer decides.
func (j *judge) findIntended() {
	for _, rule := range []struct {
		basis Basis
		find  func() *file
	}{
		{ByOperator, j.byDefaultNetwork},
		{ByRecord, j.byRecord},
		{ByCall, j.byCall},
		{ByGuard, j.byGuard},
		{ByMultus, j.byMultus},
		{ByExclusion, j.byExclusion},
	} {
		f := rule.find()
		if j.conflict != "" {
			return
		}
		if f != nil {
			j.intended, j.basis = j.replacementOf(j.read(f)), rule.basis
			j.withdrawOrphanedCopy()
			return
		}
	}
}

// byDefaultNetwork finds the file of the network that CRI-O is configured to take.
// A call is stronger evidence than CRI-O's configuration.
func (j *judge) byDefaultNetwork() *file {
	if !j.sel.Runtime.HasDefaultNetwork() || j.in.Network != "" {
		return nil
	}
	var refused *file
	for _, f := range j.files {
		switch j.read(f); {
		case f.list.Name != j.sel.Runtime.DefaultNetwork:
		case f.refused == nil:
			return f
		case refused == nil:
			refused = f
		}
	}
	return refused
}

// byRecord finds the file that guardctl install put the guard into, under its present
// name.
func (j *judge) byRecord() *file {
	r := j.in.Record
	if r == nil || r.File == "" {
		return nil
	}
	f := j.find(r.File)
	if f == nil && len(r.SameContent) == 1 {
		f = j.find(r.SameContent[0])
	}
	if f == nil && r.Source != "" {
		f = j.find(r.Source)
	}
	if f == nil && r.Network != "" {
		f = j.pickOfOnePlugin(j.filter(func(f *file) bool {
			return j.read(f).list.Name == r.Network && !f.list.Multus() && !f.isUnguardedOwnCopy()
		}))
	}
	if f != nil && j.read(f).isUnguardedOwnCopy() {
		if source := j.sourceOf(f); source != nil {
			f = source
		}
	}
	switch {
	case f == nil:
		return nil
	case f.isSample() && !r.NamedByOperator && j.hasRealFile():
		return nil
	case !f.isGuarded() && f.isParsed():
		if e := j.effective(); e != nil && e != f && e.isGuarded() && !related(e, f) && !e.list.Multus() && !e.isSample() {
			j.conflict = fmt.Sprintf("guardctl install put the guard into %s, which has lost it, and the runtime selects %s of another network, which has the guard", QuoteName(f.name), QuoteName(e.name))
			return nil
		}
	}
	return f
}

// byCall finds the file that the call came from: the first of its network with the
// guard. Files that the operator allows are read last, because they seldom have it.
func (j *judge) byCall() *file {
	if j.in.Network == "" {
		return nil
	}
	f := j.callingFile()
	if f != nil && f.isSample() && j.hasRealFile() {
		return nil
	}
	return f
}

func (j *judge) callingFile() *file {
	for _, allowed := range []bool{false, true} {
		for _, f := range j.files {
			if f.allowed == allowed && j.read(f).list.Name == j.in.Network && f.isGuarded() {
				return f
			}
		}
	}
	return nil
}

// byGuard finds the only file with the guard. A guarded file of Multus counts if no
// other file is guarded, a guarded sample if there is no real file.
func (j *judge) byGuard() *file {
	guarded := j.filter(func(f *file) bool { return j.read(f).isGuarded() || f.isOwnCopy() })
	for _, exclude := range []func(*file) bool{
		func(f *file) bool { return f.list.Multus() },
		func(f *file) bool { return f.isSample() },
		func(f *file) bool { return f.allowed },
		(*file).isUnguardedOwnCopy,
	} {
		if rest := without(guarded, exclude); len(rest) > 0 {
			guarded = rest
		}
	}
	switch {
	case len(guarded) == 0, guarded[0].isSample() && j.hasRealFile():
		return nil
	case len(guarded) == 1:
		return guarded[0]
	}
	if slices.ContainsFunc(guarded, func(f *file) bool { return !related(f, guarded[0]) }) {
		j.conflict = "several files of different networks have the guard"
		return nil
	}
	return j.pickOne(guarded)
}

// byMultus finds the file that Multus names, if the runtime selects Multus.
func (j *judge) byMultus() *file {
	e := j.effective()
	if e == nil || !e.list.Multus() || !e.list.MultusConfig().NamesNetwork() {
		return nil
	}
	if f := j.delegate(e); f != nil {
		return f
	}
	return e // the network is in Multus's own file, or in the cluster
}

// byExclusion finds the only file that serves a cluster, or else the sample in use.
func (j *judge) byExclusion() *file {
	real := j.realFiles()
	if len(real) > 0 {
		return j.pickOfOnePlugin(real)
	}
	if e := j.effective(); e != nil {
		return e
	}
	if valid := j.filter(func(f *file) bool { return j.read(f).refused == nil }); len(valid) == 1 {
		return valid[0]
	}
	return nil
}

// pickOfOnePlugin returns the intended one of files that belong to one network plugin,
// nil if they belong to several.
func (j *judge) pickOfOnePlugin(files []*file) *file {
	if len(files) == 0 || slices.ContainsFunc(files, func(f *file) bool { return f != files[0] && !related(f, files[0]) }) {
		return nil
	}
	return j.pickOne(files)
}

// pickOne returns which of several files of one network plugin is the intended one.
func (j *judge) pickOne(files []*file) *file {
	head := files[0]
	for _, better := range []func(*file) bool{
		func(f *file) bool { return f.refused == nil },
		(*file).inUse,
		(*file).isGuarded,
		(*file).isOwnCopy,
	} {
		if i := slices.IndexFunc(files, better); i >= 0 && !better(head) {
			head = files[i]
		}
	}
	if f := j.originalOf(head, files); f != nil {
		return f
	}
	j.withdrawAmongCopies(head, files)
	return head
}

// withdrawAmongCopies withdraws the answer if another file is a copy of it, and nothing
// shows which of them the network plugin writes.
func (j *judge) withdrawAmongCopies(head *file, files []*file) {
	for _, f := range files {
		if f != head && isCopyOf(f, head) && f.isGuarded() == head.isGuarded() && !head.isOwnCopy() && !isCopyName(f.name, head.name) && stem(f.name) != stem(head.name) {
			j.conflict = fmt.Sprintf("%s and %s are of one network and call the same plugins, and nothing says which of them the network plugin writes", QuoteName(head.name), QuoteName(f.name))
			return
		}
	}
}

// originalOf returns the file of which another one is a copy by its name.
func (j *judge) originalOf(f *file, among []*file) *file {
	for _, other := range among {
		if other != f && isCopyOf(f, other) && isCopyName(f.name, other.name) && !f.isOwnCopy() {
			return other
		}
	}
	return nil
}

// replacementOf returns the file that replaces the intended one: a list that was made
// from it and is in use, as istio-cni writes one; otherwise the file itself.
func (j *judge) replacementOf(f *file) *file {
	e := j.effective()
	if e == nil || e == f || e.isSample() || !e.isParsed() || !f.isParsed() || e.list.Multus() {
		return f
	}
	if isDerivedFrom(e, f) || e.isOwnCopy() && e.isGuarded() && e.list.Name == f.list.Name {
		return e
	}
	return f
}

// withdrawOrphanedCopy withdraws the answer if the source of the guard's own copy is
// gone, and another network plugin was installed meanwhile: nothing shows which of the
// two networks the operator wants.
func (j *judge) withdrawOrphanedCopy() {
	own := j.intended
	if own.name != conflist.OwnFile || !own.isParsed() || j.sourceOf(own) != nil {
		return
	}
	others := without(j.realFiles(), func(f *file) bool { return f == own })
	if len(others) == 0 {
		return
	}
	j.intended, j.basis = nil, 0
	j.conflict = fmt.Sprintf("%s is the guard's copy of a file of network %q that is no longer there", conflist.OwnFile, own.list.Name)
}

// sourceOf returns the file that the guard's own copy was made from: the first other
// file of its network.
func (j *judge) sourceOf(own *file) *file {
	for _, f := range j.files {
		if f != own && j.read(f).isParsed() && !f.list.Multus() && f.list.Name == own.list.Name {
			return f
		}
	}
	return nil
}

// delegate returns the file to which a file of Multus delegates pods, nil if it is not
// in the directory.
func (j *judge) delegate(multus *file) *file {
	for _, f := range j.files {
		if f != multus && j.read(f).isParsed() && !f.list.Multus() && multus.list.DelegatesTo(f.name, f.list.Name) {
			return f
		}
	}
	return nil
}

// realFiles returns the files that may serve a cluster: no samples, no files that the
// operator allows, and none of Multus, which has no network of its own.
func (j *judge) realFiles() []*file {
	return j.filter(func(f *file) bool {
		if f.allowed || !j.in.DuringAdd && j.read(f).list.Multus() || f.read && f.list.Multus() {
			return false
		}
		return !f.isSample() && !f.isUnguardedOwnCopy() && !isMultusName(f.name)
	})
}

// hasRealFile reports whether some file may serve a cluster.
func (j *judge) hasRealFile() bool { return len(j.realFiles()) > 0 }
