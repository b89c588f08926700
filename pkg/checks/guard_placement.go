// SPDX-License-Identifier: Apache-2.0

package checks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/hostfs"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// guardPlacement checks that the guard is installed where it can guard. A call that
// reaches the plugin has found it, so only guardctl runs this check.
type guardPlacement struct{}

func (guardPlacement) declare() guard.Declaration {
	return guard.Declaration{Name: "guard-placement"}
}

func (guardPlacement) check() *Check {
	return &Check{
		ID:        "CG202",
		Summary:   "The guard is installed but does not protect pods: its entry is missing, is not the last one, or is in a file or drop-in that is not used; or no pod starts, because the entry is not valid.",
		Detection: "In the file that the runtime selects, the entry of cni-guard is missing, is before another plugin, or is only in a drop-in; if that file is Multus's, the same applies to the file that it delegates to. Or the program is in none of the plugin directories, cannot be executed, or has the file `cni-guard.pass-through` beside it. Or the entry in the selected or intended file has a key or value that is not valid, or a \"confDir\" that is not the runtime's; a key without effect is a minor finding. Or containerd or cri-dockerd would call another loopback plugin than the guard's. The position of the entry is not judged while the check conflist has a finding.",
		Remedy:    "Run `guardctl install`, which adds the guard at the end of the correct file and copies its programs into the plugin directory. Correct an entry that is not valid in the file that the finding names.",
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
		return nil, fmt.Errorf("find the file that the runtime selects: the runtime is not known")
	}
	if t.Conf.Dir == "" {
		return nil, fmt.Errorf("find the file that %s selects: the conf dir is not known", r.Kind.DisplayName())
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
	findings = append(findings, programFindings(r, len(entries) > 0)...)
	unsafe, err := loopbackFinding(t, r.Kind)
	findings = append(findings, unsafe...)
	if len(findings) > 0 {
		return findings, nil
	}
	return nil, errors.Join(placeErr, err)
}

// placementBeside judges the position of the entry, unless the check conflist has a
// finding: the guard must not be added to a file that is to be removed.
func (t *Target) placementBeside(a assess.Assessment) ([]guard.Finding, error) {
	conflicts, _ := conflistFindings(a) // the check conflist reports the error
	if slices.ContainsFunc(conflicts, func(f guard.Finding) bool { return !f.Minor }) {
		return nil, errors.New("the position of cni-guard is not judged until the finding of conflist is resolved")
	}
	return placementInFile(t.Conf.Dir, a.Selection.Runtime)
}

// placementInFile judges the file that the runtime selects. If that is Multus's, the guard
// may be in it or, better, in the file that Multus delegates to: Multus rewrites its own.
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

// installRemedy is the remedy where no file has the guard.
const installRemedy = "Run guardctl install; if a DaemonSet writes the file, add the entry to its template as well."

// placement judges one list. An entry at the start beside the one at the end is a bookend.
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
			"configures the pod network, and cni-guard is not among its plugins (%s)", strings.Join(types, ", "))
	case at[len(at)-1] != len(types)-1:
		return finding("Put the entry of cni-guard at the end of the list: the last plugin is called first on DEL.",
			"has cni-guard before %s, which is called on DEL before the guard", strings.Join(types[at[len(at)-1]+1:], ", "))
	case l.Plugins[at[len(at)-1]].DropIn != "":
		return finding("Put the entry of cni-guard into the file itself: runtimes that delete from their cache (CRI-O) do not call drop-ins on DEL.",
			"has cni-guard as a drop-in only, %s", l.Plugins[at[len(at)-1]].DropIn)
	case len(at) > 2 || len(at) == 2 && at[0] != 0:
		return finding("Remove all entries of cni-guard but the last, and the first where you want a bookend.",
			"has cni-guard %d times, where once is enough (%s)", len(at), strings.Join(slices.Clone(types), ", "))
	}
	return nil
}

// PassThroughMarker is the name of the file beside cni-guard that makes it pass every call
// through: ADD returns the result unchanged, and every other verb succeeds. guardctl
// uninstall creates it. Its modification time is that of the last call.
const PassThroughMarker = "cni-guard.pass-through"

// PassesThrough returns the path of the marker beside the cni-guard that a runtime finds in
// its plugin directories, or "".
func PassesThrough(r conflist.Runtime) string {
	program, _ := findGuard(r)
	if program == "" {
		return ""
	}
	// The plugin looks beside its own program, which a link may lead to.
	if target, err := hostfs.Or(r.Files).EvalSymlinks(program); err == nil {
		program = target
	}
	marker := filepath.Join(filepath.Dir(program), PassThroughMarker)
	if _, err := hostfs.Or(r.Files).Stat(marker); err != nil {
		return ""
	}
	return marker
}

// findGuard returns the path and mode of the guard that a runtime finds: the first regular
// file of the name, whether it can be executed or not.
func findGuard(r conflist.Runtime) (string, fs.FileMode) {
	for _, dir := range r.BinDirs {
		path := filepath.Join(dir, conflist.GuardType)
		if info, err := hostfs.Or(r.Files).Stat(path); err == nil && info.Mode().IsRegular() {
			return path, info.Mode()
		}
	}
	return "", 0
}

// programFindings judges the program of the guard. isNamed says that a file has its entry;
// otherwise a marker means that the guard was uninstalled, which is not a finding.
func programFindings(r conflist.Runtime, isNamed bool) []guard.Finding {
	path, mode := findGuard(r)
	switch {
	case path == "":
		remedy := installRemedy
		if isNamed {
			remedy = "Run guardctl install --from DIR, where DIR holds the programs of cni-guard."
		}
		return []guard.Finding{{Object: conflist.GuardType, Problem: "is not in " + strings.Join(r.BinDirs, ", "), Remedy: remedy}}
	case mode.Perm()&0o111 == 0:
		command := "chmod 0755 " + printable.Word(path)
		return []guard.Finding{{
			Object: assess.QuoteName(path), Problem: "cannot be executed", Evidence: fmt.Sprintf("its mode is %04o", mode.Perm()), Impact: "no pod can start",
			Command: command, Remedy: "Run " + command + ".",
		}}
	}
	if marker := PassesThrough(r); marker != "" && isNamed {
		return []guard.Finding{{
			Object:   assess.QuoteName(marker),
			Problem:  fmt.Sprintf("exists, so that %s passes every call through", assess.QuoteName(path)),
			Evidence: "guardctl uninstall left the marker, and the config file has the guard's entry", Impact: "no pod is guarded",
			Command: "guardctl install",
			Remedy:  "Run guardctl install, which removes it, or run rm " + assess.QuoteName(marker) + ". To remove the guard instead, delete its entry from the config file.",
		}}
	}
	return nil
}

// loopbackFinding judges the loopback plugin that the runtime calls. The reference one
// takes the node's lo down on DEL if the namespace was lost.
func loopbackFinding(t *Target, kind conflist.Kind) ([]guard.Finding, error) {
	if kind == conflist.CRIO {
		return nil, nil // ocicni 0.4.0 and newer leave lo alone
	}
	if t.Conf.Loopback == nil {
		return nil, errors.New("find the loopback plugin: it is not known")
	}
	l, err := t.Conf.Loopback()
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the loopback plugin: %w", err)
	case l.Internal || l.Ours:
		return nil, nil
	case l.Path == "":
		return []guard.Finding{{
			Object: "loopback", Problem: "is in no plugin directory", Impact: fmt.Sprintf("%s does not start pods without it", kind.DisplayName()),
			Command: "guardctl install --loopback", Remedy: "Run guardctl install --loopback.",
		}}, nil
	}
	return []guard.Finding{{
		Object: assess.QuoteName(l.Path), Problem: "is not the one of cni-guard",
		Impact: fmt.Sprintf("when %s deletes a pod whose namespace was lost, it takes the node's lo down", kind.DisplayName()), Command: "guardctl install --loopback",
		Remedy: "Run guardctl install --loopback, or set use_internal_loopback = true in containerd 2.",
	}}, nil
}
