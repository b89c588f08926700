// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A rival is a file of the folder that is not the guard's.
type rival struct {
	looked
	name string
	harm harm
	read bool // looked is filled in
}

// A harm is what a rival does.
type harm uint8

const (
	harmNone     harm = iota
	harmWaits         // it could take the guard's place when that is gone
	harmSkipped       // as waits; it sorts before, but the runtime refuses it
	harmNext          // it wins when those before it are gone
	harmWins          // it is taken instead of the guard's
	harmAttached      // pods get it beside the guard's
	harmDisables      // the runtime loads nothing because of it
)

// serious tells what refuses a pod whatever the scope.
func (h harm) serious() bool { return h >= harmNext }

// The bounds of what is looked at and told. What waits is read to describe it, and
// is no reason for a pod to wait for the reading of a whole folder.
const (
	described  = 3
	lookedAt   = described // of those that wait, while a pod does
	namedAtAll = 5
)

// judge compares the file with the guard with all others.
func (f *folder) judge(t *Target) []guard.Finding {
	serious, minor, unread := f.rivals(t)
	findings := f.ownFindings()
	if t.Options.Conflist.Scope == ScopeAny {
		return append(findings, f.describe(append(serious, minor...), unread, false)...)
	}
	findings = append(findings, f.describe(serious, nil, false)...)
	return append(findings, f.describe(minor, unread, true)...)
}

// rivals gives the files that are not right, by whether they do harm today. Those
// that only wait are unread beyond the first few.
func (f *folder) rivals(t *Target) (serious, minor []rival, unread []string) {
	budget := len(f.names)
	if t.Netns != nil { // a pod waits
		budget = lookedAt
	}
	for i, name := range f.names {
		if i == f.own || t.Options.Conflist.Allow.match(name) {
			continue
		}
		r := f.rival(i)
		if !r.harm.serious() && harmless(name) {
			continue
		}
		if !r.read {
			if budget--; budget < 0 {
				unread = append(unread, name)
				continue
			}
			r.looked = f.look(name)
		}
		switch {
		case r.harm.serious():
			serious = append(serious, r)
		case r.harm != harmNone && !r.loopbackOnly() && !r.isCopyOf(f.mine):
			minor = append(minor, r)
		}
	}
	return serious, minor, unread
}

// rival tells what the file at a place does, and reads it if that depends on it.
func (f *folder) rival(i int) rival {
	r := rival{name: f.names[i]}
	if i > f.own && !f.mayMatterBehind(i) {
		r.harm = harmWaits
		return r
	}
	r.looked, r.read = f.look(r.name), true
	if f.runtime.Kind == conflist.Containerd {
		r.harm = f.harmOnContainerd(i, r)
	} else {
		r.harm = f.harmOfFirstValid(i, r)
	}
	return r
}

// mayMatterBehind tells whether a file behind the guard's can do any harm today.
func (f *folder) mayMatterBehind(i int) bool {
	if f.runtime.Kind == conflist.Containerd {
		return i < f.limit()
	}
	return f.mine.refused != nil || f.named() && f.mine.Name != f.runtime.DefaultNetwork
}

func (f *folder) harmOnContainerd(i int, r rival) harm {
	switch {
	case i < f.own && r.handsOnTo(f.mine.Name):
		return harmNone
	case i < f.limit() && r.refused != nil:
		return harmDisables
	case i == 0:
		return harmWins
	case i < f.limit():
		return harmAttached
	}
	return harmNext
}

// harmOfFirstValid follows CRI-O and cri-dockerd, which skip what they refuse.
func (f *folder) harmOfFirstValid(i int, r rival) harm {
	switch {
	case i < f.own && r.handsOnTo(f.mine.Name):
		return harmNone
	case r.refused != nil && i < f.own:
		return harmSkipped
	case r.refused != nil:
		return harmWaits
	case f.named() && r.Name != f.runtime.DefaultNetwork:
		return harmWaits
	}
	return harmWins // of several the first, and the next when that is gone
}

// named tells whether CRI-O takes one network by its name.
func (f *folder) named() bool {
	return f.runtime.Kind == conflist.CRIO && f.runtime.DefaultNetwork != ""
}
