// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"path"
	"slices"
)

// An Intent is what is known of the operator's wishes beside the files themselves. With
// the zero Intent the files alone decide.
type Intent struct {
	// Allow are patterns (path.Match) of file names that the operator accepts wherever
	// they sort. Such files are read only if the guard may be in them.
	Allow []string
	// NoOtherFile is the scope "any" of the check conflist: a file that is not in use, but
	// could take the place of the intended one, is no minor problem.
	NoOtherFile bool
	// Record is what guardctl install recorded; nil if there is no record.
	Record *Record
	// Network is the network of the call; "" if there is no call.
	Network string
	// DuringAdd says that a pod waits for the answer: no more files are read than needed,
	// and a file that was modified in the last two seconds refuses nothing.
	DuringAdd bool
	// Uninstalled says that guardctl uninstall removed the guard from the directory, so
	// that it is not missing.
	Uninstalled bool
	// ConfFlags are appended to the commands of guardctl conf, InstallFlags to guardctl
	// install: the flags that describe the node. Both begin with a space unless empty.
	ConfFlags, InstallFlags string
	// Attachments are the networks that Multus attaches pods to beside their own, as far
	// as the node knows them.
	Attachments []Attachment
	// DaemonGone says why Multus's daemon or its configuration is gone, as "its socket
	// /run/multus/multus.sock does not exist"; "" if that is not known.
	DaemonGone string
}

// An Attachment is an additional network of Multus, from a NetworkAttachmentDefinition
// or a file of Multus's own.
type Attachment struct {
	Network string
	IfName  string // its interface in a pod of the node; "" if no pod has it
	Plugins []string
}

// A Record is what guardctl install recorded of the file with the guard.
type Record struct {
	// File is the file with the guard.
	File string
	// Source is the file that File was made from, if that is another: the network
	// plugin's file for the placement "own", or a .conf that became a list.
	Source string
	// Network is the network of File at that time; "" if it was not recorded.
	Network string
	// SameContent are the other files of the directory with the content that install
	// left in File. If File is gone, it may be there under such a name.
	SameContent []string
	// Placement is "inline", "own" or "bookend"; "" is inline.
	Placement string
	// NamedByOperator says that the operator named the file, so that it is intended even
	// if it is a sample.
	NamedByOperator bool
}

// A Basis says what decided which file is the intended one.
type Basis uint8

// The bases, the strongest first. With the zero Basis nothing decided.
const (
	ByOperator  Basis = iota + 1 // the operator named the file or its network
	ByRecord                     // guardctl install put the guard into it
	ByCall                       // its network called
	ByGuard                      // it is the only one with the guard
	ByMultus                     // Multus, which the runtime selects, delegates pods to it
	ByExclusion                  // it is the only one that is neither a sample nor a leftover copy
)

// basisNames returns the names in the order of the constants.
func basisNames() []string {
	return []string{"", "operator", "record", "call", "guard", "multus", "exclusion"}
}

// String returns the name of a basis in JSON; "" for the zero Basis.
func (b Basis) String() string {
	if names := basisNames(); int(b) < len(names) {
		return names[b]
	}
	return fmt.Sprintf("Basis(%d)", uint8(b))
}

// MarshalText returns what String returns.
func (b Basis) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// isExplicit reports whether something other than the files says which one is intended.
// Otherwise that follows from the files, and proves nothing about the others.
func (b Basis) isExplicit() bool { return b >= ByOperator && b <= ByGuard }

// allows reports whether the operator accepts a file by its name.
func (in Intent) allows(name string) bool {
	return slices.ContainsFunc(in.Allow, func(p string) bool {
		ok, _ := path.Match(p, name) // the pattern was checked when it was parsed
		return ok
	})
}

// explainBasis completes "is the intended file: …".
func (j *judge) explainBasis() string {
	switch j.basis {
	case ByOperator:
		return "its network is the cni_default_network of CRI-O"
	case ByRecord:
		if j.in.Record.File != j.intended.name {
			return fmt.Sprintf("it replaces %s, into which guardctl install put the guard", QuoteName(j.in.Record.File))
		}
		if j.in.Uninstalled && !j.intended.isGuarded() {
			return "the guard was in it until guardctl uninstall removed it"
		}
		return "guardctl install put the guard into it"
	case ByCall:
		return "its network has just called"
	case ByGuard:
		return "it has the guard"
	case ByMultus:
		return "it is the network that Multus names"
	}
	if j.intended.isSample() {
		return "nothing else is there, though it is a sample"
	}
	return "no other file serves a cluster"
}
