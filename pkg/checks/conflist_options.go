// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"fmt"
	"math"
	"path"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// ConflistOptions are the options of the check conflist: which files the conf dir may
// hold beside the guard's own, and how the runtime selects one.
type ConflistOptions struct {
	Allow          []string // patterns of file names that are allowed, as of path.Match
	Scope          Scope
	Caller         Caller
	MaxConfNum     int    // of containerd; 0: all files
	DefaultNetwork string // CRI-O's cni_default_network; "": not set
}

// Keys implements guard.Options.
func (o *ConflistOptions) Keys() []guard.Option {
	return []guard.Option{
		{
			Key: "allow", Value: guard.List(&o.Allow, nil, "87-podman-*.conflist", parseFilePattern),
			Meaning: "Patterns of file names (as of a shell: `*`, `?`, `[a-z]`) that are allowed, even if such a file overrides the guard's; a matching file is never read. Files on the built-in list are allowed only while they are not in use.",
		},
		{
			Key: "scope", Value: guard.OneOf(&o.Scope, ScopeEffective, ScopeAny),
			Meaning: "`effective` refuses pods for a file that overrides the guard's or is attached beside it, and warns about others; `any` refuses pods for any other file.",
		},
		{
			Key: "runtime", Value: guard.OneOf(&o.Caller, CallerDetect, "containerd", "crio", "cri-dockerd", CallerNone),
			Meaning: "The runtime whose selection rules apply: `containerd`, `crio`, `cri-dockerd`, `none` for callers that select a network by name, or `detect`, by the process that calls.",
		},
		{
			Key: "maxConfNum", Value: guard.Int(&o.MaxConfNum, 1, 0, math.MaxInt),
			Meaning: "The `max_conf_num` of containerd, the number of files that it loads; 0 is all.",
		},
		{
			Key: "defaultNetwork", Value: guard.Text(&o.DefaultNetwork, ""),
			Meaning: "The `cni_default_network` of CRI-O, which then selects the file of that network and no other. If empty, it is read from CRI-O's command line or `/etc/crio`.",
		},
	}
}

// parseFilePattern refuses a pattern that cannot match a file name.
func parseFilePattern(p string) (string, error) {
	if _, err := path.Match(p, ""); err != nil || path.Base(p) != p {
		return "", fmt.Errorf("%q is not a pattern of a file name", p)
	}
	return p, nil
}

// allows reports whether a pattern of Allow matches the file name.
func (o *ConflistOptions) allows(name string) bool {
	for _, p := range o.Allow {
		if ok, _ := path.Match(p, name); ok { // parseFilePattern has refused malformed patterns
			return true
		}
	}
	return false
}

// A Scope is the set of files that refuse a pod.
type Scope string

const (
	ScopeEffective Scope = "effective" // files that override the guard's or are attached beside it
	ScopeAny       Scope = "any"       // any file but the guard's
)

// A Caller is the runtime whose selection rules apply, by its name.
type Caller string

const (
	CallerDetect Caller = "detect" // the process that calls
	CallerNone   Caller = "none"   // the caller selects a network by name
)
