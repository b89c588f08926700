// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"slices"
	"time"
)

// A Verdict is what a runtime makes of an entry of its folder.
type Verdict uint8

// The verdicts. No file is without one.
const (
	Selected    Verdict = iota + 1 // the network that pods get
	Attached                       // pods get it beside the selected one: max_conf_num is not 1
	Shadowed                       // could be loaded, but another is taken
	Invalid                        // the runtime refuses it, or would if it came to it
	NotLoadable                    // no runtime looks at it: a folder, or another extension
)

// verdictNames are in the order of the constants.
func verdictNames() []string {
	return []string{"", "selected", "attached", "shadowed", "invalid", "not loadable"}
}

// String gives "selected", "attached", "shadowed", "invalid" or "not loadable".
func (v Verdict) String() string {
	if names := verdictNames(); int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// MarshalText gives what String gives.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what String gives.
func (v *Verdict) UnmarshalText(text []byte) error {
	i := slices.Index(verdictNames(), string(text))
	if i < 0 {
		return fmt.Errorf("read verdict: %q is none", text)
	}
	*v = Verdict(i)
	return nil
}

// A File is an entry of the folder. What was read of it is there for each that
// can be parsed, whatever the verdict.
type File struct {
	Name    string
	Verdict Verdict
	// Reason completes a sentence that begins with the name: "is shadowed by …".
	Reason string
	// Network is the name as the runtime has it; it may be "".
	Network string
	// CNIVersion is the one that counts: of cniVersions, the highest that libcni
	// knows. "" where the file names none, which means 0.1.0.
	CNIVersion string
	// Plugins are the types, in the order of ADD, those of drop-ins last.
	Plugins []string
	// DropIns are the files that add plugins, from the folder: "net/10-a.conf".
	DropIns []string
	// ModTime is that of the file's content; zero where it cannot be read.
	ModTime time.Time
	// Unread says that the file was not read, so that nothing above but the name
	// and the verdict is known; see [SelectLazy].
	Unread bool `json:"-"`
}
