// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Conflist reports that the runtime selects another config file than the intended one.
// At ADD the choice for this pod has been made; the next pod would get another network,
// or none. Users of kubespray noticed after two days, and then deleted the right file
// (containerd/cri#889, multus-cni#461, minikube#8480).
var Conflist = &Check{
	ID:      "CG201",
	Name:    "conflist",
	Summary: "A leftover or hidden config file overrides the intended one, so that new pods get the wrong network or do not start.",
	Detection: "The file that the runtime selects from the conf dir is not the intended one, or the runtime attaches further files, or it refuses a file and loads nothing. Runtimes sort `.conf`, `.conflist` and `.json` files by name, hidden files first (`LC_ALL=C ls -A`). " +
		"The intended file is the first of these that exists: the file of CRI-O's cni_default_network, the file that `guardctl install` edited, the file of the network that called, the only file with the guard, the file of the network that Multus names, the only file that is not a sample. If none exists, the result is unknown, and no pod is refused. " +
		"A file that could replace the intended one later is a minor finding. Not reported unless in use: files of podman and nerdctl, samples of CRI-O and containerd, files with loopback only, the file that the intended one was made from, and the files that a selected Multus delegates to. " +
		"During an ADD, a file that was written less than two seconds ago is a minor finding. So is a file that sorts before the guard's and that CRI-O or cri-dockerd may skip because of its plugins: a call by CRI-O is near proof that it selected the guard's file.",
	Remedy:     "Run `guardctl conf`, which shows the file that the runtime selects and why. Move the wrong file away with `guardctl conf quarantine FILE`, and keep the intended one.",
	When:       guard.Add | guard.Status | guard.Node,
	Default:    guard.Enforce,
	StatusCode: guard.CodeUnavailable,
	Options:    &ConflistOptions{},
	Probe:      probeConflist,
}

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
			Meaning: "`effective` refuses pods for a file that overrides the guard's or is attached in addition to it, and warns about others; `any` refuses pods for any other file.",
		},
		{
			Key: "runtime", Value: guard.OneOf(&o.Caller, CallerDetect, "containerd", "crio", "cri-dockerd", CallerNone),
			Meaning: "The runtime whose selection rules apply: `containerd`, `crio`, `cri-dockerd`, `none` for callers that select a network by name, or `detect`, which goes by the calling process.",
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

func probeConflist(_ context.Context, t *Target) ([]guard.Finding, error) {
	var names []string // of the files, if the configuration names the directory
	var dirErr error
	if t.Conf.Dir != "" {
		names, dirErr = t.Conf.Runtime.Names(t.Conf.Dir)
	}
	if dirErr == nil && len(names) == 1 && t.Netns != nil {
		return nil, nil // during an ADD a single file leaves the runtime no choice
	}
	r, callerErr := t.runtime()
	switch {
	case callerErr == nil && r.Kind == 0:
		return nil, nil // the caller does not select a file
	case callerErr != nil && errors.Is(dirErr, fs.ErrNotExist):
		return nil, nil // no known runtime, and no file of the guard
	case dirErr != nil:
		return nil, dirErr
	case callerErr == nil && t.Conf.Network == "" && t.Conf.Dir != "":
		return t.assessNode(r)
	}
	d, err := t.confDir(r, names)
	switch {
	case callerErr != nil && errors.Is(err, errNoOwnFile):
		return nil, nil // no known runtime, and no file of the guard
	case errors.Is(err, errNoOwnFile) && d != nil && t.Netns == nil:
		return d.nothingLoaded(t, err)
	case err != nil:
		return nil, err
	case len(d.Files) > 1 && callerErr != nil:
		return nil, callerErr
	}
	if err := d.readCRIODefault(t); err != nil {
		return nil, err
	}
	return conflistFindings(assess.Assess(d.Selection, t.intent()))
}

// assessNode judges the conf dir without a call. It reads every file.
func (t *Target) assessNode(r conflist.Runtime) ([]guard.Finding, error) {
	s, err := conflist.Select(t.Conf.Dir, r)
	if err != nil {
		return nil, err
	}
	return conflistFindings(assess.Assess(s, t.intent()))
}

// readCRIODefault reads the network that CRI-O selects by name, if a file sorts before
// the guard's: with a default network the order does not matter.
func (d *confDir) readCRIODefault(t *Target) error {
	r := d.Runtime
	if r.Kind != conflist.CRIO || r.DefaultNetwork != "" || d.Files[0].Name == d.ownFile || t.Conf.CRIODefaultNetwork == nil {
		return nil
	}
	network, err := t.Conf.CRIODefaultNetwork()
	if err == nil && network != "" {
		r.DefaultNetwork = network
		d.Selection = d.WithRuntime(r)
	}
	return err
}

// nothingLoaded judges a conf dir that is known to be the runtime's and has no file with
// the guard. The intended file is unknown then, but a file that makes containerd load
// nothing is a finding in any case. It is not judged during an ADD, when the file may be
// half written, as Calico writes its own.
func (d *confDir) nothingLoaded(t *Target, why error) ([]guard.Finding, error) {
	a := assess.Assess(d.Selection, t.intent())
	for _, p := range a.Problems {
		if p.Kind == assess.NothingLoaded && p.File != "" {
			return []guard.Finding{conflistFinding(a, p)}, nil
		}
	}
	return nil, why
}

// Of many problems the first are described, and some of the others are named.
const (
	maxDescribed = 3
	maxNamed     = 5
)

// conflistFindings turns problems into findings. If all that was found is that the
// result is unknown, it returns that as the error.
func conflistFindings(a assess.Assessment) ([]guard.Finding, error) {
	var serious, minor []assess.Problem
	var unknown error
	for _, p := range a.Problems {
		switch {
		case p.Unknown:
			unknown = errors.New(conflistObject(a, p) + " " + p.Sentence() + ": " + p.Advice())
		case p.Minor:
			minor = append(minor, p)
		default:
			serious = append(serious, p)
		}
	}
	found := append(describeProblems(a, serious, false), describeProblems(a, minor, true)...)
	if len(found) == 0 {
		return nil, unknown
	}
	return found, nil
}

func describeProblems(a assess.Assessment, problems []assess.Problem, minor bool) (found []guard.Finding) {
	for i, p := range problems {
		if i == maxDescribed {
			return append(found, moreProblems(a, problems[i:], minor))
		}
		f := conflistFinding(a, p)
		f.Minor = minor
		found = append(found, f)
	}
	return found
}

func conflistFinding(a assess.Assessment, p assess.Problem) guard.Finding {
	return guard.Finding{
		Object: conflistObject(a, p), Problem: p.What, Evidence: p.Evidence, Impact: p.Impact,
		Remedy: p.Advice(), Command: p.Command, Minor: p.Minor,
	}
}

// conflistObject returns the path of the file of a problem, or of the directory.
func conflistObject(a assess.Assessment, p assess.Problem) string {
	if p.File == "" {
		return assess.QuoteName(a.Selection.Dir)
	}
	return assess.QuoteName(a.Selection.Path(p.File))
}

// moreProblems returns one finding for all problems that are not described.
func moreProblems(a assess.Assessment, rest []assess.Problem, minor bool) guard.Finding {
	var names []string
	for _, p := range rest[:min(maxNamed, len(rest))] {
		names = append(names, assess.QuoteName(p.File))
	}
	list := strings.Join(names, ", ")
	if len(names) < len(rest) {
		list += ", …"
	}
	return guard.Finding{Object: assess.QuoteName(a.Selection.Dir), Problem: fmt.Sprintf("holds %d more beside the guard's (%s)", len(rest), list), Minor: minor}
}
