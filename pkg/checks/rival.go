// SPDX-License-Identifier: Apache-2.0

package checks

import "github.com/cni-guard/cni-guard/pkg/conflist"

// A rival is a file of the folder that is not the guard's.
type rival struct {
	looked
	name   string
	harm   harm
	read   bool // looked is filled in
	passes bool // it was written just now
}

// A harm is what a rival does.
type harm uint8

const (
	harmNone      harm = iota
	harmWaits          // it could take the guard's place when that is gone
	harmSkipped        // as waits; it sorts before, but the runtime refuses it
	harmUncertain      // as waits; it wins if its plugins know its version of the spec
	harmNext           // it wins when those before it are gone
	harmWins           // it is taken instead of the guard's
	harmAttached       // pods get it beside the guard's
	harmDisables       // the runtime loads nothing because of it
)

// serious tells what refuses a pod whatever the scope.
func (h harm) serious() bool { return h >= harmNext }

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
	return f.mine.refused != nil && !f.ran || f.named() && f.mine.Name != f.runtime.DefaultNetwork
}

func (f *folder) harmOnContainerd(i int, r rival) harm {
	switch {
	case i < f.own && r.handsOnTo(f.names[f.own], f.mine):
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
	case i < f.own && r.handsOnTo(f.names[f.own], f.mine):
		return harmNone
	case r.refused != nil && i < f.own:
		return harmSkipped
	case r.refused != nil:
		return harmWaits
	case f.named() && r.Name != f.runtime.DefaultNetwork:
		return harmWaits
	case !f.isCertain(r):
		return harmUncertain
	}
	return harmWins // of several the first, and the next when that is gone
}

// named tells whether CRI-O takes one network by its name.
func (f *folder) named() bool {
	return f.runtime.Kind == conflist.CRIO && f.runtime.DefaultNetwork != ""
}
