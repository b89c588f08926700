// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// guardPlacement looks whether the guard stands where it can guard. It runs by
// hand only: whoever calls a plugin has found it.
type guardPlacement struct{}

func (guardPlacement) declare() guard.Declaration {
	return guard.Declaration{Name: "guard-placement"}
}

func (guardPlacement) check() *Check {
	return &Check{
		Summary:   "The guard is installed, and yet pods are not guarded, because the primary plugin wrote its file anew, the entry is not the last, a runtime does not call it on DEL, or cni-guard.pass-through was left behind; or no pod starts, because the entry is not valid.",
		Detection: "In the file that the runtime takes, cni-guard is missing, stands before another plugin, or is a drop-in only; that file is Multus's, and neither it nor the one that it hands pods on to has the guard; its binary is not in the plugin folders, cannot be executed, or has cni-guard.pass-through beside it; the entry in that file, or in the intended one, has a key or value that is not valid, names another conf dir than the runtime's, or has (a minor finding) a key without effect; containerd or cri-dockerd would call another loopback plugin than the guard's. While the check conflist has a finding, it is not judged where the guard stands.",
		Remedy:    "Run guardctl install, which puts the guard at the end of the right file, and its programs into the plugin folder. Correct an entry that is not valid in the file that is named.",
		When:      guard.Node,
		Default:   guard.Warn,
		Probe:     probeGuardPlacement,
	}
}

func probeGuardPlacement(_ context.Context, t *Target) ([]guard.Finding, error) {
	r, err := t.runtime()
	if err != nil {
		return nil, err
	}
	if r.Kind == 0 {
		return nil, fmt.Errorf("find the file that the runtime takes: it is not known which runtime that is")
	}
	if t.Conf.Dir == "" {
		return nil, fmt.Errorf("find the file that %s takes: the conf dir is not known", r.Kind.DisplayName())
	}
	s, err := conflist.Select(t.Conf.Dir, r)
	if err != nil {
		return nil, err
	}
	a := assess.Assess(s, t.intent())
	findings, placeErr := t.placementBeside(a)
	entries := LoadedEntries(a)
	for _, e := range entries {
		findings = append(findings, e.Findings()...)
	}
	findings = append(findings, programFindings(r.BinDirs, len(entries) > 0)...)
	unsafe, err := loopbackFinding(t, r.Kind)
	findings = append(findings, unsafe...)
	if len(findings) > 0 {
		return findings, nil // what was found says more than what could not be told
	}
	return nil, errors.Join(placeErr, err)
}

// placementBeside judges where the guard stands, unless the check conflist has a
// finding: the guard must not be put into a file that is to go.
func (t *Target) placementBeside(a assess.Assessment) ([]guard.Finding, error) {
	first, _ := t.findings(a) // what conflist could not tell, it says itself
	if slices.ContainsFunc(first, func(f guard.Finding) bool { return !f.Minor }) {
		return nil, errors.New("where the guard stands is not judged until the finding of conflist is resolved")
	}
	return placementInFile(t.Conf.Dir, a.Selection.Runtime)
}

// placementInFile looks at the list of the file that the runtime takes. Where that
// is Multus's, the guard may stand in it or, better, in the one that Multus hands
// pods on to: Multus writes its own anew.
func placementInFile(dir string, r conflist.Runtime) ([]guard.Finding, error) {
	effective, err := conflist.Effective(dir, r)
	if err != nil {
		return nil, err
	}
	name := effective.Name
	l, err := conflist.ReadAs(dir, name, r)
	if err != nil {
		return nil, err
	}
	if l.Multus() && !slices.Contains(l.Types(), conflist.GuardType) {
		if name, l, err = conflist.DelegateFile(dir, l, r); err != nil {
			return nil, err
		}
	}
	return placement(assess.QuoteName(filepath.Join(dir, name)), l), nil
}

// installRemedy is what to do where no list names the guard.
const installRemedy = "Run guardctl install; where a DaemonSet writes the file, add the entry to its template as well."

// placement judges one list. A first entry beside the last is a bookend.
func placement(path string, l conflist.List) []guard.Finding {
	types := l.Types()
	isGuard := func(t string) bool { return t == conflist.GuardType }
	finding := func(remedy, problem string, args ...any) []guard.Finding {
		return []guard.Finding{{Object: path, Problem: fmt.Sprintf(problem, args...), Remedy: remedy}}
	}
	var at []int
	for i, t := range types {
		if isGuard(t) {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0:
		return finding(installRemedy,
			"is the file that pods get, and cni-guard is not among its plugins (%s)", strings.Join(types, ", "))
	case at[len(at)-1] != len(types)-1:
		return finding("Put the entry of cni-guard at the end of the list: the last is asked first on DEL.",
			"has cni-guard before %s, which acts on DEL before the guard is asked", strings.Join(types[at[len(at)-1]+1:], ", "))
	case l.Plugins[at[len(at)-1]].DropIn != "":
		return finding("Put the entry of cni-guard into the file itself: runtimes that delete from their cache (CRI-O) do not call drop-ins on DEL.",
			"has cni-guard as a drop-in only, %s", l.Plugins[at[len(at)-1]].DropIn)
	case len(at) > 2 || len(at) == 2 && at[0] != 0:
		return finding("Remove all entries of cni-guard but the last, and the first where you want a bookend.",
			"has cni-guard %d times, where once is enough (%s)", len(at), strings.Join(slices.Clone(types), ", "))
	}
	return nil
}
