// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// foresee makes sure that pods will get the file with the guard, of the network
// that they get now, and that the guard will let them.
func (r Request) foresee(p *Plan, c change, now target) (target, Snapshot, error) {
	v, err := r.newView(c.files)
	if err != nil {
		return now, Snapshot{}, err
	}
	defer v.close()
	f, err := v.target(r.runtimeIn(v))
	switch {
	case err != nil:
		return f, Snapshot{}, fmt.Errorf("edit %s: the result would not be loaded: %w; nothing was changed", c.Path, err)
	case !slices.Contains(f.Plugins, conflist.GuardType):
		return f, Snapshot{}, fmt.Errorf("edit %s: the runtime would select %s, which has no guard; nothing was changed: see guardctl conf", c.Path, f.Name)
	case f.Network != now.Network:
		return f, Snapshot{}, fmt.Errorf("edit %s: pods would get network %q instead of %q; nothing was changed: see guardctl conf", c.Path, f.Network, now.Network)
	}
	p.warnOfAttachments(r, v)
	if err := r.wouldRefuse(p, v, f, len(c.steps) > 0); err != nil {
		return f, Snapshot{}, err
	}
	s, err := v.snapshot(f.selected())
	return f, s, err
}

// wouldRefuse asks the check conflist what the guard will say of the folder at the
// first pod. Where it is installed already that is no reason to stop.
func (r Request) wouldRefuse(p *Plan, v view, f target, edits bool) error {
	if f.multus != "" {
		return nil // Multus calls, and selects no file
	}
	found, enforced, err := v.judged(r.runtimeIn(v), f)
	if err != nil {
		if errors.Is(err, errEntry) {
			p.note("no pod can start: %s; correct the entry in %s", v.says(err.Error()), f.Name)
			return nil
		}
		p.note("the guard cannot judge %s: %s", v.real, v.says(err.Error()))
		return nil
	}
	for _, finding := range found {
		problem := v.says(finding.Object + " " + finding.Problem)
		switch {
		case finding.Minor:
		case !enforced:
			p.note("the guard will report with every pod: %s", problem)
		case !edits:
			p.note("the guard refuses every pod: %s", problem)
		default:
			name := filepath.Base(finding.Object)
			return fmt.Errorf("install the guard: it would refuse every pod, from the first: %s; nothing was changed. There are three ways on: guardctl conf quarantine %s puts it away, --allow '%s' has the guard find it right, and --mode audit only reports", problem, name, name)
		}
	}
	return nil
}

// errEntry is wrapped where the entry that is there is not valid, with which the guard
// refuses every ADD.
var errEntry = errors.New("read the entry of cni-guard")

// judged gives the findings of conflist, and whether they refuse pods.
func (v view) judged(r conflist.Runtime, f target) ([]guard.Finding, bool, error) {
	l, err := conflist.Read(v.dir, f.Name)
	if err != nil {
		return nil, false, err
	}
	entry, problems, _ := checks.EntryIn(l)
	if text := checks.EntryErrors(problems); text != "" {
		return nil, false, fmt.Errorf("%w: %s", errEntry, text)
	}
	t := &checks.Target{Options: entry.Settings.Options, Conf: checks.Conf{Dir: v.dir, Network: f.Network, Runtime: r}}
	policy := entry.Settings.Checks[checks.Conflist.Name].Policy
	found, err := checks.Conflist.Probe(context.Background(), t)
	return found, !entry.Settings.Audit && (policy == 0 || policy == guard.Enforce), err
}
