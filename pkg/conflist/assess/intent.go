// SPDX-License-Identifier: Apache-2.0

package assess

import (
	"fmt"
	"path"
	"slices"
)

// An Intent is what is known of the operator's wishes, beside the files themselves.
// The zero Intent says nothing: the files alone decide.
type Intent struct {
	// Allow are patterns (path.Match) of file names that the operator finds right
	// wherever they sort. Such files are not read unless the guard may be in them.
	Allow []string
	// Alone says that no other file may lie ready to take the place of the intended
	// one, as the scope "any" of the check conflist has it: such a file is no minor
	// problem then.
	NoOtherFile bool
	// Record is what guardctl install wrote down; nil where there is no record.
	Record *Record
	// Network is the network of the call; "" where nobody called.
	Network string
	// Waiting says that a pod waits for the answer: no more files are read than
	// needed, and a file that was written in the last two seconds refuses nothing.
	DuringAdd bool
	// Uninstalled says that guardctl uninstall took the guard out of the folder, so
	// that the guard is not missed.
	Uninstalled bool
	// Flags are appended to the commands of guardctl conf, InstallFlags to guardctl install:
	// those by which the operator told guardctl about the node. Both begin with a blank.
	ConfFlags, InstallFlags string
	// Attachments are the networks that Multus attaches pods to beside their own, as far
	// as the node knows them.
	Attachments []Attachment
	// DaemonGone says why Multus's daemon or its configuration is gone, as "its socket
	// /run/multus/multus.sock is not there"; "" where that is not known.
	DaemonGone string
}

// An Attachment is a network that Multus attaches pods to, by a NetworkAttachmentDefinition
// or a file of its own.
type Attachment struct {
	Network string
	IfName  string // the interface that it had in a pod; "" where no pod of the node has it
	Plugins []string
}

// A Record is what guardctl install wrote down of the file with the guard.
type Record struct {
	// File is the file with the guard, by its name in the folder.
	File string
	// Source is the file that File was made from, where that is another: the primary
	// plugin's, for the placement "own" and for a .conf that became a list.
	Source string
	// Network is the network of File at that time; "" where it was not written down.
	Network string
	// Same are the other files of the folder that have the bytes that install left in
	// File: one of them is File under another name, where File itself is gone.
	SameContent []string
	// Placement is where install put the guard: "inline", "own" or "bookend"; "" is inline.
	Placement string
	// Named says that the operator named the file, and that it is intended though it
	// is a sample.
	NamedByOperator bool
}

// A Basis says what decided which file is the intended one, strongest first.
type Basis uint8

// The bases. The zero Basis says that nothing decided.
const (
	ByOperator  Basis = iota + 1 // the operator named the file or its network
	ByRecord                     // guardctl install put the guard into it
	ByCall                       // its network called
	ByGuard                      // it is the only one with the guard
	ByMultus                     // Multus, which the runtime takes, hands pods on to it
	ByExclusion                  // it is the only one that is not a sample or a leftover copy
)

// basisNames are in the order of the constants.
func basisNames() []string {
	return []string{"", "operator", "record", "call", "guard", "multus", "exclusion"}
}

// String returns the word for a basis in JSON; "" for the zero Basis.
func (b Basis) String() string {
	if names := basisNames(); int(b) < len(names) {
		return names[b]
	}
	return fmt.Sprintf("Basis(%d)", uint8(b))
}

// MarshalText returns what String returns.
func (b Basis) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// strong reports whether somebody said which file is intended. Otherwise it follows
// from the other files, and says nothing about those.
func (b Basis) strong() bool { return b >= ByOperator && b <= ByGuard }

// allows reports whether the operator allows a file by its name.
func (in Intent) allows(name string) bool {
	return slices.ContainsFunc(in.Allow, func(p string) bool {
		ok, _ := path.Match(p, name) // the pattern was checked where it was read
		return ok
	})
}
