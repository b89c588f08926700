// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"io/fs"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// Conflist sees another configuration win over the guard's own. By then the
// choice for this pod is made; the next one would get another network, or none,
// which kubespray's users found out after two days, and then deleted the right
// file (containerd/cri#889, multus-cni#461, minikube#8480).
var Conflist = &Check{
	Name:       conflistName,
	Prevents:   "A leftover or hidden second file in the conf dir decides which network the next pods get, or keeps them from starting, and nobody sees why.",
	Seen:       "Of the .conf, .conflist and .json files of the conf dir, in the order of their names (LC_ALL=C ls -A), the one that the runtime takes is not the one with the guard in it; or the runtime attaches others beside it, or refuses one and loads nothing. Files that could take its place are reported, and refuse nothing. Files of podman, nerdctl and Multus, the samples of CRI-O and containerd, and those with loopback only are right where they do not win; so is 00-multus.conf where it does, and the file of its delegate behind it. A copy of the guard's list without the guard, behind it, is the primary plugin's own. While a pod waits, what was written less than two seconds ago is reported only, and so is a file before the guard's of which only CRI-O or cri-dockerd, who ask its plugins, can say whether they take it.",
	Remedy:     "Run guardctl conf, which says which file wins and why; put the wrong one away with guardctl conf quarantine FILE, and keep the other.",
	When:       guard.Add | guard.Status | guard.Node,
	Default:    guard.Enforce,
	StatusCode: guard.CodeUnavailable,
	Options:    conflistOptions(),
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
	}
	f, err := t.folder(r, names)
	switch {
	case callerErr != nil && errors.Is(err, errNoOwnFile):
		return nil, nil // nobody is known to select a file, and none is known to be ours
	case errors.Is(err, errNoOwnFile) && f != nil:
		return f.withoutOwn(t, err)
	case err != nil:
		return nil, err
	case len(f.names) > 1 && callerErr != nil:
		return nil, callerErr
	}
	if err := f.askCRIO(t); err != nil {
		return nil, err
	}
	return f.judge(t), nil
}

// listed gives the names of the conf dir where it is known.
func (t *Target) listed() ([]string, error) {
	if t.Conf.Dir == "" {
		return nil, nil
	}
	return conflist.Names(t.Conf.Dir)
}

// askCRIO asks for the network that CRI-O takes by its name, where a file sorts
// before the guard's: with the right name that is no harm, and to refuse pods for
// it would be.
func (f *folder) askCRIO(t *Target) (err error) {
	r := &f.runtime
	if r.Kind == conflist.CRIO && r.DefaultNetwork == "" && f.own > 0 && t.Conf.CRIODefaultNetwork != nil {
		r.DefaultNetwork, err = t.Conf.CRIODefaultNetwork()
	}
	return err
}

// withoutOwn judges a folder that is known to be the right one, and has no file
// with the guard in it. Which of the files is the right one nobody can tell then;
// but one that containerd refuses is one too many, whichever that is. At the ADD of
// a pod it may just be half written, as Calico writes its own.
func (f *folder) withoutOwn(t *Target, why error) ([]guard.Finding, error) {
	if f.runtime.Kind == conflist.Containerd && t.Netns == nil {
		for _, name := range f.names[:f.limit()] {
			if l := f.look(name); l.refused != nil && !t.Options.Conflist.Allow.match(name) {
				return []guard.Finding{f.disablesUnowned(name, l)}, nil
			}
		}
	}
	if len(f.names) == 1 && t.Conf.Network == "" {
		return nil, nil // nobody called, and there is no choice
	}
	return nil, why
}

// limit is how many files the runtime may take.
func (f *folder) limit() int {
	n := f.runtime.MaxConfNum
	if f.runtime.Kind != conflist.Containerd || n <= 0 {
		return len(f.names)
	}
	return min(n, len(f.names))
}
