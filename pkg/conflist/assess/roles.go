// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A Role says what a file is to the node. The zero Role belongs to files that no
// runtime loads.
type Role uint8

// The roles.
const (
	Keep    Role = iota + 1 // pods need it: it is the intended file, or belongs to it
	Rogue                   // it takes the place of the intended file, or could
	Benign                  // it may stay where it is
	Unknown                 // the evidence does not decide
)

// roleNames returns the names in the order of the constants.
func roleNames() []string { return []string{"", "keep", "rogue", "benign", "unknown"} }

// String returns "keep", "rogue", "benign" or "unknown"; "" for the zero Role.
func (r Role) String() string {
	if names := roleNames(); int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("Role(%d)", uint8(r))
}

// MarshalText returns what String returns.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses what String returns.
func (r *Role) UnmarshalText(text []byte) error {
	i := slices.Index(roleNames(), string(text))
	if i < 0 {
		return fmt.Errorf("read role: %q is none of keep, rogue, benign, unknown", text)
	}
	*r = Role(i)
	return nil
}

// assignRoles sets the role of each file and the reason for it.
func (j *judge) assignRoles() {
	j.budgeted = j.in.DuringAdd
	for _, f := range j.files {
		if f.role == 0 {
			f.role, f.reason = j.roleOf(f)
		}
	}
}

func (j *judge) roleOf(f *file) (Role, string) {
	switch {
	case !j.readable:
		return Unknown, "is not judged, because this user may not read all files of the directory"
	case f == j.intended:
		return Keep, "is the intended file: " + j.explainBasis()
	case j.isNeededByMultus(f):
		return Keep, "is the file that Multus waits for (readinessindicatorfile) or delegates pods to"
	case f.allowed:
		return Benign, "is allowed by the option allow of the check conflist"
	case j.intended == nil:
		return j.roleWithoutIntended(f)
	case f.inUse() && j.isAcceptable(f):
		return Keep, "is Multus's file, and delegates pods to " + QuoteName(j.intended.name)
	}
	return j.roleBesideIntended(f)
}

// roleWithoutIntended judges a file if the intended one is unknown.
func (j *judge) roleWithoutIntended(f *file) (Role, string) {
	switch {
	case f.isSample() && !f.inUse():
		return Benign, "is a sample, and not in use"
	case f.isSample() && j.hasRealFile():
		return Rogue, "is a sample, and in use"
	case isMultusName(f.name) && !f.inUse():
		return Benign, "is Multus's file, and not in use"
	}
	return Unknown, "may or may not be the intended file"
}

// roleBesideIntended judges a file that is not the intended one.
func (j *judge) roleBesideIntended(f *file) (Role, string) {
	in := j.intended
	if !f.read && !f.inUse() && (isSampleName(f.name) || isMultusName(f.name)) {
		return Benign, "is a sample or Multus's by its name"
	}
	j.read(f)
	blocks := j.sel.Err != nil && f.verdict == conflist.Invalid && j.sel.Runtime.Kind == conflist.Containerd
	switch {
	case f.isUnguardedOwnCopy() && related(f, in):
		return Rogue, "is the guard's own copy without the guard"
	case f.isSample() && (f.inUse() || blocks):
		return Rogue, "is a sample, and takes the place of " + QuoteName(in.name)
	case f.isSample():
		return Benign, "is a sample, and not in use"
	case j.sel.Runtime.HasDefaultNetwork() && !f.inUse() && j.effective() == in:
		return Benign, "is not in use: CRI-O selects the network of cni_default_network"
	case in.isOwnCopy() && !in.isParsed() && f.isParsed():
		return Benign, "may be the source of the guard's own copy"
	case f.verdict == conflist.Attached && !j.basis.isExplicit():
		return Unknown, "is attached beside " + QuoteName(in.name)
	case f.verdict == conflist.Attached:
		return Rogue, "is attached beside " + QuoteName(in.name)
	case f.isParsed() && f.list.Multus() && !f.inUse():
		return Benign, "is Multus's file, and not in use"
	case j.isRogueCopy(f):
		return Rogue, fmt.Sprintf("is a copy of %s, and sorts before it", QuoteName(in.name))
	case related(f, in) && (callsAll(in.list, f.list) || in.isOwnCopy()):
		return Benign, "is the source of " + QuoteName(in.name)
	case related(f, in) && (callsAll(f.list, in.list) || f.at > in.at):
		return Benign, "belongs to the same network plugin as " + QuoteName(in.name)
	case !j.basis.isExplicit() && !f.inUse():
		return Unknown, "is not in use, and its purpose is not known"
	case !j.basis.isExplicit():
		return Unknown, "is in use, and its purpose is not known"
	}
	return Rogue, "has another network than " + QuoteName(in.name)
}

// isRogueCopy reports whether a file is a copy of the intended one and takes its place,
// though it is known which one is intended. A single plugin with the name of the list
// is no copy, but the source of the list.
func (j *judge) isRogueCopy(f *file) bool {
	in := j.intended
	if f.at > in.at || !f.isParsed() || f.list.Name != in.list.Name || in.name == conflist.OwnFile || j.isConvertedFrom(f) {
		return false
	}
	return isCopyOf(f, in) && (isCopyName(f.name, in.name) || j.basis == ByRecord || j.basis == ByOperator)
}

// isConvertedFrom reports whether the intended list was made from a single plugin: the
// names are equal apart from the extension, or the record says so.
func (j *judge) isConvertedFrom(f *file) bool {
	return f.list.Single && (stem(f.name) == stem(j.intended.name) || j.in.Record != nil && j.in.Record.Source == f.name)
}

// isNeededByMultus reports whether the runtime selects Multus, and Multus waits for a
// file on every ADD or delegates pods to it.
func (j *judge) isNeededByMultus(f *file) bool {
	e := j.effective()
	if e == nil || e == f || !e.isParsed() || !e.list.Multus() || f.isSample() {
		return false
	}
	c := e.list.MultusConfig()
	if c.ReadinessFile != "" && filepath.Base(c.ReadinessFile) == f.name {
		return true
	}
	if j.intended != nil && !j.isAcceptable(e) {
		return false
	}
	if c.NamesNetwork() {
		return j.delegate(e) == f
	}
	// Without a network Multus uses the first file.
	real := j.realFiles()
	return j.intended == e && len(real) > 0 && real[0] == f
}
