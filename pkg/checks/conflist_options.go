// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/cni-guard/cni-guard/pkg/guard"
)

// conflistName is the name of the check, and of its place in the configuration.
const conflistName = "conflist"

// ConflistOptions say what the conf dir may hold beside the guard's own file.
type ConflistOptions struct {
	Allow      Globs   // names of files that may lie there, beside the built-in ones
	Scope      Scope   // which other files are refused
	Caller     Caller  // whose rules of selection hold
	MaxConfNum ConfNum // containerd: how many files it loads

	// DefaultNetwork is CRI-O's cni_default_network; "" where none is set.
	DefaultNetwork string
}

func defaultConflistOptions() ConflistOptions {
	return ConflistOptions{Scope: ScopeEffective, Caller: CallerDetect, MaxConfNum: 1}
}

func (o *ConflistOptions) keys() map[string]any {
	return map[string]any{
		"allow": &o.Allow, "scope": &o.Scope, "runtime": &o.Caller,
		"maxConfNum": &o.MaxConfNum, "defaultNetwork": &o.DefaultNetwork,
	}
}

// conflistOptions documents the keys.
func conflistOptions() []guard.Option {
	return []guard.Option{
		{Key: "allow", Default: `[]`, Means: "Patterns of file names (as of a shell: `*`, `?`, `[a-z]`) that you know of and find right, even where one of them wins over the guard's; such a file is never read. The built-in ones are right only where they do not win."},
		{Key: "scope", Default: `"effective"`, Means: "`effective` refuses for a file that wins over the guard's or is attached beside it, and warns of others; `any` refuses for any other file."},
		{Key: "runtime", Default: `"detect"`, Means: "Whose rules of selection hold: `containerd`, `crio`, `cri-dockerd`, `none` for callers that select a network by its name, or `detect`, by the process that calls."},
		{Key: "maxConfNum", Default: `1`, Means: "The `max_conf_num` of containerd: how many files it loads; 0 is all."},
		{Key: "defaultNetwork", Default: `""`, Means: "The `cni_default_network` of CRI-O: it then takes the file of that network, and no other. Without it: what its command line or `/etc/crio` says."},
	}
}

// Globs are patterns of file names, as path.Match has them.
type Globs []string

// UnmarshalJSON refuses a pattern that can match nothing.
func (g *Globs) UnmarshalJSON(b []byte) error {
	var patterns []string
	if err := json.Unmarshal(b, &patterns); err != nil {
		return fmt.Errorf(`want a list of patterns such as ["87-podman-*.conflist"]: %w`, err)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || path.Base(p) != p {
			return fmt.Errorf("%q is no pattern of a file name", p)
		}
	}
	*g = patterns
	return nil
}

// match reports whether one of the patterns matches a name.
func (g Globs) match(name string) bool {
	for _, p := range g {
		if ok, _ := path.Match(p, name); ok { // the pattern is known to be well formed
			return true
		}
	}
	return false
}

// A Scope says which other files are refused.
type Scope string

const (
	ScopeEffective Scope = "effective" // those that win, or are attached as well
	ScopeAny       Scope = "any"       // all
)

// UnmarshalJSON accepts the words above.
func (s *Scope) UnmarshalJSON(b []byte) error {
	word, err := oneOf(b, string(ScopeEffective), string(ScopeAny))
	if err == nil {
		*s = Scope(word)
	}
	return err
}

// A Caller says whose rules of selection hold.
type Caller string

const (
	CallerDetect Caller = "detect" // those of the process that calls
	CallerNone   Caller = "none"   // the caller selects by name, whatever else is there
)

// detect holds of the zero Caller, too.
func (c Caller) detect() bool { return c == CallerDetect || c == "" }

// UnmarshalJSON accepts the words above and the runtimes.
func (c *Caller) UnmarshalJSON(b []byte) error {
	word, err := oneOf(b, "containerd", "crio", "cri-dockerd", string(CallerNone), string(CallerDetect))
	if err == nil {
		*c = Caller(word)
	}
	return err
}

// A ConfNum is a max_conf_num.
type ConfNum int

// UnmarshalJSON accepts whole numbers from 0.
func (n *ConfNum) UnmarshalJSON(b []byte) error {
	var i int
	if err := json.Unmarshal(b, &i); err != nil || i < 0 {
		return fmt.Errorf("want a whole number from 0 (all files), not %s", b)
	}
	*n = ConfNum(i)
	return nil
}
