// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Verdict says what a runtime does with an entry of its config directory.
type Verdict uint8

// The verdicts. Every file of a Select has one.
const (
	Selected    Verdict = iota + 1 // the network that pods get
	Attached                       // pods get it beside the selected one, because max_conf_num is not 1
	Shadowed                       // it is valid, but another file is selected
	Invalid                        // the runtime refuses it, or would refuse it if it came to it
	NotLoadable                    // no runtime reads it: a directory, or a file with another extension
)

// verdictNames returns the names in the order of the constants.
func verdictNames() []string {
	return []string{"", "selected", "attached", "shadowed", "invalid", "not loadable"}
}

// String returns "selected", "attached", "shadowed", "invalid" or "not loadable".
func (v Verdict) String() string {
	if names := verdictNames(); int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// MarshalText returns what String returns.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText parses what String returns.
func (v *Verdict) UnmarshalText(text []byte) error {
	i := slices.Index(verdictNames(), string(text))
	if i < 0 {
		return fmt.Errorf("read verdict: %q is none", text)
	}
	*v = Verdict(i)
	return nil
}

// A File is an entry of a config directory. Whatever the verdict, it has all that could
// be parsed.
type File struct {
	Name    string
	Verdict Verdict
	// Reason completes a sentence that begins with the name: "is shadowed by …".
	Reason string
	// Network is the name of the network as the runtime knows it; it may be "".
	Network string
	// CNIVersion is the effective version: of cniVersions, the highest that libcni
	// supports. It is "" if the file has none, which means 0.1.0.
	CNIVersion string
	// Plugins are the plugin types in the order of ADD, those of drop-ins last.
	Plugins []string
	// DropIns are the files that add plugins, relative to the directory:
	// "net/10-a.conf".
	DropIns []string
	// ModTime is the modification time of the content; zero if it cannot be read.
	ModTime time.Time
	// Unread reports that the file was not read, so that only the name and the verdict
	// are known; see [SelectLazy].
	Unread bool `json:"-"`
}

// OnlyLoopback reports whether a file calls no plugin but loopback. Such a file is
// harmless as long as it is not selected: runtimes set up lo by a plugin of their own
// choice.
func (f File) OnlyLoopback() bool { return onlyLoopback(f.Plugins) }

// Multus reports whether a file calls Multus, thin or thick.
func (f File) Multus() bool { return slices.ContainsFunc(f.Plugins, isMultus) }

// file returns what is known of a parsed file, without a verdict.
func (l List) file(name string) File {
	f := File{Name: name, Network: l.Name, CNIVersion: l.CNIVersion, ModTime: l.ModTime, Plugins: l.Types()}
	for _, p := range l.Plugins {
		if p.DropIn != "" {
			f.DropIns = append(f.DropIns, p.DropIn)
		}
	}
	return f
}

func onlyLoopback(types []string) bool {
	return len(types) > 0 && !slices.ContainsFunc(types, func(t string) bool { return t != "loopback" })
}

func isMultus(plugin string) bool { return plugin == "multus" || plugin == "multus-shim" }

// ValidName reports whether the spec allows a name for networks and containers:
// [a-zA-Z0-9][a-zA-Z0-9_.-]*. It is utils.ValidateNetworkName of the CNI library
// without the regular expression.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && strings.IndexByte("_.-", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}
