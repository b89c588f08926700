// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// intend finds the intended file: the first rule that answers decides.
func (j *judge) intend() {
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
			j.intended, j.basis = j.today(j.look(f)), rule.basis
			j.outlived()
			return
		}
	}
}

// byDefaultNetwork finds the file of the network that CRI-O is configured to take.
// A call proves more than what was read of CRI-O's configuration.
func (j *judge) byDefaultNetwork() *file {
	if j.sel.Runtime.Kind != conflist.CRIO || j.sel.Runtime.DefaultNetwork == "" || j.in.Network != "" {
		return nil
	}
	var refused *file
	for _, f := range j.files {
		switch j.look(f); {
		case f.list.Name != j.sel.Runtime.DefaultNetwork:
		case f.refused == nil:
			return f
		case refused == nil:
			refused = f
		}
	}
	return refused
}

// byRecord finds the file that guardctl install put the guard into, under the name
// that it has today.
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
		f = j.oneGroup(j.filter(func(f *file) bool { return j.look(f).list.Name == r.Network && !f.list.Multus() && !j.strayCopy(f) }))
	}
	if f != nil && j.strayCopy(j.look(f)) {
		if source := j.sourceOf(f); source != nil {
			f = source
		}
	}
	switch {
	case f == nil:
		return nil
	case f.sample() && !r.NamedByOperator && j.real():
		return nil
	case !f.guarded() && f.parsed():
		if e := j.effective(); e != nil && e != f && e.guarded() && !related(e, f) && !e.list.Multus() && !e.sample() {
			j.conflict = fmt.Sprintf("guardctl install put the guard into %s, which has lost it, and the runtime takes %s of another network, which has the guard", QuoteName(f.name), QuoteName(e.name))
			return nil
		}
	}
	return f
}

// byCall finds the file that the call came from: the first of its network that has
// the guard. Files that the operator allows are looked at last: they are seldom it.
func (j *judge) byCall() *file {
	if j.in.Network == "" {
		return nil
	}
	f := j.called()
	if f != nil && f.sample() && j.real() {
		return nil
	}
	return f
}

func (j *judge) called() *file {
	for _, allowed := range []bool{false, true} {
		for _, f := range j.files {
			if f.allowed == allowed && j.look(f).list.Name == j.in.Network && f.guarded() {
				return f
			}
		}
	}
	return nil
}

// byGuard finds the only file with the guard. A guarded file of Multus counts if no
// other is guarded, a sample if nothing else is there.
func (j *judge) byGuard() *file {
	guarded := j.filter(func(f *file) bool { return j.look(f).guarded() || f.own() })
	for _, exclude := range []func(*file) bool{
		func(f *file) bool { return f.list.Multus() },
		func(f *file) bool { return f.sample() },
		func(f *file) bool { return f.allowed },
		j.strayCopy,
	} {
		if rest := without(guarded, exclude); len(rest) > 0 {
			guarded = rest
		}
	}
	switch {
	case len(guarded) == 0, guarded[0].sample() && j.real():
		return nil
	case len(guarded) == 1:
		return guarded[0]
	}
	if slices.ContainsFunc(guarded, func(f *file) bool { return !related(f, guarded[0]) }) {
		j.conflict = "several files of different networks have the guard"
		return nil
	}
	return j.head(guarded)
}

// byMultus finds the file that Multus names, where the runtime takes Multus.
func (j *judge) byMultus() *file {
	e := j.effective()
	if e == nil || !e.list.Multus() || !e.list.MultusConfig().NamesNetwork() {
		return nil
	}
	if f := j.delegate(e); f != nil {
		return f
	}
	return e // the network stands in Multus's own file, or in the cluster
}

// byExclusion finds the only file that serves a cluster; of samples the one in use.
func (j *judge) byExclusion() *file {
	real := j.realFiles()
	if len(real) > 0 {
		return j.oneGroup(real)
	}
	if e := j.effective(); e != nil {
		return e
	}
	if valid := j.filter(func(f *file) bool { return j.look(f).refused == nil }); len(valid) == 1 {
		return valid[0]
	}
	return nil
}

// oneGroup returns the head of files that are of one network plugin, nil where they
// are of several.
func (j *judge) oneGroup(files []*file) *file {
	if len(files) == 0 || slices.ContainsFunc(files, func(f *file) bool { return f != files[0] && !related(f, files[0]) }) {
		return nil
	}
	return j.head(files)
}

// head returns which of several files of one network plugin is the intended one.
func (j *judge) head(files []*file) *file {
	head := files[0]
	for _, better := range []func(*file) bool{
		func(f *file) bool { return f.refused == nil },
		(*file).inUse,
		(*file).guarded,
		(*file).own,
	} {
		if i := slices.IndexFunc(files, better); i >= 0 && !better(head) {
			head = files[i]
		}
	}
	if f := j.originalOf(head, files); f != nil {
		return f
	}
	j.twins(head, files)
	return head
}

// twins withdraws the answer where two files are copies of each other, and nothing
// says which is the one that the network plugin writes.
func (j *judge) twins(head *file, files []*file) {
	for _, f := range files {
		if f != head && copyOf(f, head) && f.guarded() == head.guarded() && !head.own() && !copyName(f.name, head.name) && stem(f.name) != stem(head.name) {
			j.conflict = fmt.Sprintf("%s and %s are of one network and call the same plugins, and nothing says which of them the network plugin writes", QuoteName(head.name), QuoteName(f.name))
			return
		}
	}
}

// originalOf returns the file that another one is a copy of, by its name.
func (j *judge) originalOf(f *file, among []*file) *file {
	for _, other := range among {
		if other != f && copyOf(f, other) && copyName(f.name, other.name) && !f.own() {
			return other
		}
	}
	return nil
}

// today returns the file that stands for the intended one now: a list that was made
// of it and sorts before it, as istio-cni makes one.
func (j *judge) today(f *file) *file {
	e := j.effective()
	if e == nil || e == f || e.sample() || !e.parsed() || !f.parsed() || e.list.Multus() {
		return f
	}
	if madeOf(e, f) || e.own() && e.guarded() && e.list.Name == f.list.Name {
		return e
	}
	return f
}

// outlived withdraws the answer where the guard's own copy has no source any more,
// and another network plugin was installed meanwhile: which of the two networks the
// operator wants nobody knows.
func (j *judge) outlived() {
	own := j.intended
	if own.name != conflist.OwnFile || !own.parsed() || j.sourceOf(own) != nil {
		return
	}
	others := without(j.realFiles(), func(f *file) bool { return f == own || f.role == Benign })
	if len(others) == 0 {
		return
	}
	j.intended, j.basis = nil, 0
	j.conflict = fmt.Sprintf("%s is the guard's copy of a file of network %q that is no longer there", conflist.OwnFile, own.list.Name)
}

// sourceOf returns the file that the guard's own copy was made of, or stands for:
// the first other file of its network.
func (j *judge) sourceOf(own *file) *file {
	for _, f := range j.files {
		if f != own && j.look(f).parsed() && !f.list.Multus() && f.list.Name == own.list.Name {
			return f
		}
	}
	return nil
}

// strayCopy reports whether a file is the guard's own copy without the guard: it has
// no use, and wins.
func (j *judge) strayCopy(f *file) bool {
	return f.name == conflist.OwnFile && f.parsed() && !f.guarded()
}

// delegate returns the file that a file of Multus hands pods on to, nil if it is not
// in the folder.
func (j *judge) delegate(multus *file) *file {
	for _, f := range j.files {
		if f != multus && j.look(f).parsed() && !f.list.Multus() && multus.list.DelegatesTo(f.name, f.list.Name) {
			return f
		}
	}
	return nil
}

// realFiles returns the files that may serve a cluster: no samples, none that the
// operator allows beside the others, and none of Multus, which serves none by itself.
func (j *judge) realFiles() []*file {
	return j.filter(func(f *file) bool {
		if f.allowed || !j.in.DuringAdd && j.look(f).list.Multus() || f.read && f.list.Multus() {
			return false
		}
		return !f.sample() && !j.strayCopy(f) && !multusName(f.name)
	})
}

// real reports whether a file may serve a cluster.
func (j *judge) real() bool { return len(j.realFiles()) > 0 }
