// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// assignRoles gives each file a role and the reason for it.
func (j *judge) assignRoles() {
	j.limited = j.in.DuringAdd
	for _, f := range j.files {
		if f.role == 0 {
			f.role, f.reason = j.roleOf(f)
		}
	}
}

func (j *judge) roleOf(f *file) (Role, string) {
	switch {
	case !j.readable:
		return Unknown, "is not judged, as this user may not read all files of the folder"
	case f == j.intended:
		return Keep, "is the intended file: " + j.basisWords()
	case j.waitedFor(f):
		return Keep, "is the file that Multus waits for (readinessindicatorfile), or hands pods on to"
	case f.allowed:
		return Benign, "is allowed by the option allow of the check conflist"
	case j.intended == nil:
		return j.roleWithoutIntent(f)
	case f.inUse() && j.right(f):
		return Keep, fmt.Sprintf("is Multus's file, and hands pods on to %s", QuoteName(j.intended.name))
	}
	return j.roleBeside(f)
}

// roleWithoutIntent judges a file where the intended one is unknown.
func (j *judge) roleWithoutIntent(f *file) (Role, string) {
	switch {
	case f.sample() && !f.inUse():
		return Benign, "is a sample, and not in use"
	case f.sample() && j.real():
		return Rogue, "is a sample, and in use"
	case multusName(f.name) && !f.inUse():
		return Benign, "is Multus's file, and not in use"
	}
	return Unknown, "may be the intended file, or not"
}

// roleBeside judges a file beside the intended one.
func (j *judge) roleBeside(f *file) (Role, string) {
	in := j.intended
	if !f.read && !j.needsReading(f) {
		return Benign, "is a sample, or Multus's, by its name"
	}
	j.look(f)
	stops := j.sel.Err != nil && f.verdict == conflist.Invalid && j.sel.Runtime.Kind == conflist.Containerd
	switch {
	case j.strayCopy(f) && related(f, in):
		return Rogue, "is the guard's own copy without the guard"
	case f.sample() && (f.inUse() || stops):
		return Rogue, "is a sample, and takes the place of " + QuoteName(in.name)
	case f.sample():
		return Benign, "is a sample, and not in use"
	case j.named() && !f.inUse() && j.effective() == in:
		return Benign, "is not in use: CRI-O takes the network of cni_default_network"
	case in.own() && !in.parsed() && f.parsed():
		return Benign, "may be what the guard's own copy was made of"
	case f.verdict == conflist.Attached && !j.basis.strong():
		return Unknown, "is attached beside " + QuoteName(in.name)
	case f.verdict == conflist.Attached:
		return Rogue, "is attached beside " + QuoteName(in.name)
	case f.parsed() && f.list.Multus() && !f.inUse():
		return Benign, "is Multus's file, and not in use"
	case j.isRogueCopy(f):
		return Rogue, fmt.Sprintf("is a copy of %s, and sorts before it", QuoteName(in.name))
	case related(f, in) && (contains(in.list, f.list) || in.own()):
		return Benign, fmt.Sprintf("is what %s was made of", QuoteName(in.name))
	case related(f, in) && (contains(f.list, in.list) || f.at > in.at):
		return Benign, fmt.Sprintf("is of the same network plugin as %s", QuoteName(in.name))
	case !j.basis.strong() && !f.inUse():
		return Unknown, "is not in use, and nobody said what it is for"
	case !j.basis.strong():
		return Unknown, "is in use, and nobody said what it is for"
	}
	return Rogue, "is of another network than " + QuoteName(in.name)
}

// needsReading reports whether more than the name of a file has to be known, while a
// pod waits.
func (j *judge) needsReading(f *file) bool {
	return !sampleName(f.name) && !multusName(f.name) || f.inUse()
}

// isRogueCopy reports whether a file is a copy of the intended one, and takes its
// place though somebody said that the other one is intended. A single configuration
// of the same name is no copy, but what the list was made of.
func (j *judge) isRogueCopy(f *file) bool {
	in := j.intended
	if f.at > in.at || !f.parsed() || f.list.Name != in.list.Name || in.name == conflist.OwnFile || j.convertedFrom(f) {
		return false
	}
	return copyOf(f, in) && (copyName(f.name, in.name) || j.basis == ByRecord || j.basis == ByOperator)
}

// convertedFrom reports whether the intended list was made of a single configuration:
// it has the same name but for the extension, or the record says so.
func (j *judge) convertedFrom(f *file) bool {
	return f.list.Single && (stem(f.name) == stem(j.intended.name) || j.in.Record != nil && j.in.Record.Source == f.name)
}

// waitedFor reports whether the Multus that the runtime takes names a file: it waits
// for it on every ADD, or hands pods on to it.
func (j *judge) waitedFor(f *file) bool {
	e := j.effective()
	if e == nil || e == f || !e.parsed() || !e.list.Multus() || f.sample() {
		return false
	}
	h := e.list.MultusConfig()
	if h.ReadinessFile != "" && filepath.Base(h.ReadinessFile) == f.name {
		return true
	}
	if j.intended != nil && !j.right(e) {
		return false
	}
	if h.NamesNetwork() {
		return j.delegate(e) == f
	}
	return j.intended == e && j.firstReal() == f
}

// firstReal returns the file that Multus takes when it is told none.
func (j *judge) firstReal() *file {
	if real := j.realFiles(); len(real) > 0 {
		return real[0]
	}
	return nil
}

func multusName(name string) bool { return name == "00-multus.conf" || name == "00-multus.conflist" }
