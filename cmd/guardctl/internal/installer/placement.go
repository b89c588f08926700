// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// A Placement says where the guard's entry goes.
type Placement string

// The placements.
const (
	Inline  Placement = "inline"  // last in the effective file
	Own     Placement = "own"     // last in a file of our own, a copy of the effective one that sorts before it
	Bookend Placement = "bookend" // first and last in the effective file
)

// Placements are all there are; the first is the default, but see bookends.
func Placements() []string { return []string{string(Inline), string(Own), string(Bookend)} }

// Set reads one of the words above: it makes a flag of a Placement.
func (p *Placement) Set(word string) error {
	if !slices.Contains(Placements(), word) {
		return fmt.Errorf("%q is none of %s", word, strings.Join(Placements(), ", "))
	}
	*p = Placement(word)
	return nil
}

// String gives the word.
func (p *Placement) String() string { return string(*p) }

// Type is the word for the value in the help.
func (p *Placement) Type() string { return "placement" }

// bookends reports whether the guard belongs first as well where nobody says: with a
// runtime that hands out /proc/PID/ns/net, so that ADD may be called with the node's
// namespace, before a primary that is known to take a result. A file that has the
// guard already stays as it is.
func (r Request) bookends(t target) bool {
	if r.Site.Runtime.Kind != conflist.CRIDockerd || t.multus != "" || slices.Contains(t.Plugins, "cni-guard") {
		return false
	}
	l, err := conflist.Read(r.Site.ConfDir, t.Name)
	return err == nil && len(l.Plugins) > 0 && takesResult(l.Plugins[0])
}

// takesResult reports whether a primary is known to work behind a plugin that prints
// an empty result. Of the reference plugins v1.9.1 ptp, bridge and macvlan ignore it
// on ADD; ipvlan looks there for its master unless its entry names one.
func takesResult(p conflist.Plugin) bool {
	switch p.Type {
	case "ptp", "bridge", "macvlan":
		return true
	case "ipvlan":
		var entry struct{ Master string }
		return json.Unmarshal(p.Raw, &entry) == nil && entry.Master != ""
	}
	return false
}
