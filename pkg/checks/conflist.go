// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"io/fs"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Conflist sees another configuration win over the guard's own. By then the
// choice for this pod is made; the next one would get another network, or none,
// which kubespray's users found out after two days, and then deleted the right
// file (containerd/cri#889, multus-cni#461, minikube#8480).
var Conflist = &Check{
	Name:    "conflist",
	Summary: "A leftover or hidden second file in the conf dir decides which network the next pods get, or keeps them from starting, and nobody sees why.",
	Detection: "Of the .conf, .conflist and .json files of the conf dir, in the order of their names (LC_ALL=C ls -A), the one that the runtime takes is not the intended one; or the runtime attaches others beside it, or refuses one and loads nothing. " +
		"Intended is, in this order: what CRI-O's cni_default_network names, the file that guardctl install put the guard into, the file of the network that calls, the only file with the guard, the network that Multus names, and the only file that is no sample. Where none of these decides the answer is unknown, and refuses nothing. " +
		"Files that could take its place are reported, and refuse nothing. Files of podman and nerdctl, the samples of CRI-O and containerd, and those with loopback only are benign where they are not in use; so is what the intended file was made of, and what Multus, which the runtime takes, hands pods on to. " +
		"While a pod waits, what was written less than two seconds ago is reported only, and so is a file before the guard's of which only CRI-O or cri-dockerd, who ask its plugins, can say whether they take it; a call by CRI-O is near proof that it takes ours.",
	Remedy:     "Run guardctl conf, which says which file wins and why; put the wrong one away with guardctl conf quarantine FILE, and keep the other.",
	When:       guard.Add | guard.Status | guard.Node,
	Default:    guard.Enforce,
	StatusCode: guard.CodeUnavailable,
	Options:    &ConflistOptions{},
	Probe:      probeConflist,
}

func probeConflist(_ context.Context, t *Target) ([]guard.Finding, error) {
	names, dirErr := t.listed()
	if dirErr == nil && len(names) == 1 && t.Netns != nil { // a pod waits
		return nil, nil // where there is one file there is no choice
	}
	r, callerErr := t.runtime()
	switch {
	case callerErr == nil && r.Kind == 0:
		return nil, nil // the caller selects no file
	case callerErr != nil && errors.Is(dirErr, fs.ErrNotExist):
		return nil, nil // as below, of a folder that is named
	case dirErr != nil:
		return nil, dirErr
	case callerErr == nil && t.Conf.Network == "" && t.Conf.Dir != "":
		return t.judgeNode(r)
	}
	f, err := t.folder(r, names)
	switch {
	case callerErr != nil && errors.Is(err, errNoOwnFile):
		return nil, nil // nobody is known to select a file, and none is known to be ours
	case errors.Is(err, errNoOwnFile) && f != nil && t.Netns == nil:
		return f.stopped(t, err)
	case err != nil:
		return nil, err
	case len(f.Files) > 1 && callerErr != nil:
		return nil, callerErr
	}
	if err := f.askCRIO(t); err != nil {
		return nil, err
	}
	return t.findings(assess.Assess(f.Selection, t.intent()))
}

// listed gives the names of the conf dir where it is known.
func (t *Target) listed() ([]string, error) {
	if t.Conf.Dir == "" {
		return nil, nil
	}
	return conflist.Names(t.Conf.Dir)
}

// judgeNode judges the folder where nobody called: nothing waits, and every file is
// read.
func (t *Target) judgeNode(r conflist.Runtime) ([]guard.Finding, error) {
	s, err := conflist.Select(t.Conf.Dir, r)
	if err != nil {
		return nil, err
	}
	return t.findings(assess.Assess(s, t.intent()))
}

// askCRIO asks for the network that CRI-O takes by its name, where a file sorts
// before the guard's: with the right name that is no harm.
func (f *folder) askCRIO(t *Target) error {
	r := f.Runtime
	if r.Kind != conflist.CRIO || r.DefaultNetwork != "" || f.Files[0].Name == f.own || t.Conf.CRIODefaultNetwork == nil {
		return nil
	}
	network, err := t.Conf.CRIODefaultNetwork()
	if err == nil && network != "" {
		r.DefaultNetwork = network
		f.Selection = f.WithRuntime(r)
	}
	return err
}

// stopped judges a folder that is known to be the right one, and has no file with
// the guard in it. Which of the files is the right one nobody can tell then; but one
// that containerd refuses is one too many, whichever that is. At the ADD of a pod it
// may just be half written, as Calico writes its own.
func (f *folder) stopped(t *Target, why error) ([]guard.Finding, error) {
	a := assess.Assess(f.Selection, t.intent())
	for _, p := range a.Problems {
		if p.Kind == assess.NothingLoaded && p.File != "" {
			return []guard.Finding{conflistFinding(a, p)}, nil
		}
	}
	return nil, why
}
