// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
	"github.com/cni-guard/cni-guard/pkg/guard"
	"github.com/cni-guard/cni-guard/pkg/printable"
)

// chooseFile returns the file to insert the guard into: the one that the operator named,
// or the intended file if pods get it. Package assess decides which file is intended.
func (p *Plan) chooseFile(r Request, record *Record) (target, error) {
	v, err := r.newView(nil)
	if err != nil {
		return target{}, err
	}
	defer v.close()
	s, err := conflist.Select(r.Site.ConfDir, r.runtimeFor(v))
	if err != nil {
		return target{}, err
	}
	if err := checkReadable(s); err != nil {
		return target{}, err
	}
	if r.File != "" {
		return r.namedFile(s)
	}
	if r.Placement == Own && isBroken(filepath.Join(r.Site.ConfDir, conflist.OwnFile)) {
		return r.sourceOfBroken(record)
	}
	now, err := v.target(r.runtimeFor(v))
	if err != nil {
		return now, fmt.Errorf("%w%s", err, remedy(err))
	}
	if exists(r.marker()) {
		record = nil // uninstall was run since
	}
	in := r.intent(s, record)
	return now, p.checkIntended(r, assess.Assess(s, in), now, in.Record)
}

// checkReadable returns an error if a file that the runtime may select cannot be read by this
// process. The runtime can read it, and what it selects is not known.
func checkReadable(s conflist.Selection) error {
	for _, f := range s.Files {
		if f.Verdict == conflist.NotLoadable {
			break
		}
		path := filepath.Join(s.Dir, f.Name)
		if _, err := s.Read(f.Name); errors.Is(err, fs.ErrPermission) {
			return explain("read "+path, path, fs.ErrPermission)
		}
		if f.Verdict == conflist.Selected {
			break
		}
	}
	return nil
}

// isBroken reports whether a file exists and cannot be parsed, as after a power failure or
// on a full disk. containerd loads nothing because of it.
func isBroken(path string) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	_, err = conflist.Parse(filepath.Base(path), content)
	return err != nil
}

// sourceOfBroken returns the file from which to write the guard's own copy again, which is
// broken: the intended file of the directory without it, with the network on record.
func (r Request) sourceOfBroken(record *Record) (target, error) {
	v, err := r.newView(map[string][]byte{conflist.OwnFile: nil})
	if err != nil {
		return target{}, err
	}
	defer v.close()
	now, err := v.target(r.runtimeFor(v))
	if err != nil {
		return now, fmt.Errorf("find the source of %s, which is broken: %w%s", conflist.OwnFile, err, remedy(err))
	}
	s, err := conflist.Select(v.dir, r.runtimeFor(v))
	if err != nil {
		return now, err
	}
	in := r.intent(s, record)
	a := assess.Assess(s, in)
	if a.Intended != now.Name || in.Record != nil && in.Record.Network != "" && in.Record.Network != now.Network {
		return now, fmt.Errorf("%s is broken, and it is not known whether %s (%s), which pods would get without it, is its source: put the wrong file in quarantine, or the right one back, and run this again", conflist.OwnFile, assess.QuoteName(now.Name), assess.DescribeNetwork(now.Network, now.Plugins))
	}
	return now, nil
}

// namedFile returns the file that the operator named.
func (r Request) namedFile(s conflist.Selection) (target, error) {
	f := s.Find(r.File)
	if f == nil {
		return target{}, fmt.Errorf("%s is none of the files that a runtime loads from %s", printable.String(r.File), r.siteAsNamed.ConfDir)
	}
	t := target{File: *f}
	if e := s.Effective(); e != nil && e.Name != f.Name {
		if l, err := s.Read(e.Name); err == nil && l.DelegatesTo(f.Name, f.Network) {
			t.multus = e.Name
		}
	}
	return t, nil
}

// intent returns what is known of the operator's wishes.
func (r Request) intent(s conflist.Selection, record *Record) assess.Intent {
	in := assess.Intent{Allow: r.Allow, Record: record.Intent(r.Site.ConfDir)}
	for _, f := range s.Files {
		if l, err := s.Read(f.Name); f.Verdict != conflist.NotLoadable && err == nil {
			e, _, _ := checks.EntryIn(l)
			in.Allow = append(in.Allow, guard.OptionsOf[*checks.ConflistOptions](e.Settings.Options).Allow...)
		}
	}
	return in
}

// checkIntended checks that pods get the intended file, that the file serves a cluster, and
// that it is the one on record.
func (p *Plan) checkIntended(r Request, a assess.Assessment, now target, record *assess.Record) error {
	gets := fmt.Sprintf("pods get %s (%s)", assess.QuoteName(now.Name), assess.DescribeNetwork(now.Network, now.Plugins))
	named := func(name string) string { return "guardctl install --file " + printable.Word(name) }
	f := a.Selection.Find(a.Intended)
	switch {
	case f == nil && now.Name == conflist.OwnFile:
		return fmt.Errorf("%s, the copy of a file that is gone, beside %s: if one of those belongs to the network plugin that this node has now, run guardctl install --file with its name; otherwise put the file of network %q back", gets, otherCandidates(a, now.Name), now.Network)
	case f == nil:
		return fmt.Errorf("%s, and nothing shows whether that is the network of this node, beside %s%s: put the wrong file in quarantine (guardctl conf lists them), or, if %s is right, run %s", gets, otherCandidates(a, now.Name), conflictOf(a), assess.QuoteName(now.Name), named(now.Name))
	case assess.IsSample(*f) && (record == nil || !record.NamedByOperator):
		return fmt.Errorf("%s is a sample that comes with a package, and serves no cluster: install the network plugin of this node first, and then run this again; to guard the sample nevertheless, run %s", assess.QuoteName(f.Name), named(f.Name))
	case a.Intended != now.Name && !isSolvedByInstall(a, now.Name):
		return fmt.Errorf("%s, and the intended file is %s: %s", gets, assess.QuoteName(a.Intended), worstAdvice(a))
	case record != nil && a.Basis != assess.ByRecord && a.Basis != assess.ByOperator && record.File != now.Name:
		return fmt.Errorf("%s, and by %s the guard is in %s (network %q), which is gone: if %s belongs to the network plugin that this node has now, run %s; otherwise put the other file back", gets, recordPath(r.RecordDir), assess.QuoteName(record.File), record.Network, assess.QuoteName(now.Name), named(now.Name))
	case record != nil && record.File != now.Name && record.Source != now.Name && now.Name != conflist.OwnFile:
		p.note("the guard goes into %s, which has the same network as %s, where it was before", assess.QuoteName(now.Name), assess.QuoteName(record.File))
	}
	return nil
}

// isSolvedByInstall reports whether installing again solves the problem with the file in
// use: it is the source of the intended file.
func isSolvedByInstall(a assess.Assessment, name string) bool {
	return slices.ContainsFunc(a.Problems, func(p assess.Problem) bool {
		return p.File == name && p.Kind == assess.SourceInUse
	})
}

// otherCandidates returns the files that may be intended, except for one, in words.
func otherCandidates(a assess.Assessment, but string) string {
	var names []string
	for _, name := range a.Candidates {
		if f := a.Selection.Find(name); f != nil && name != but {
			names = append(names, fmt.Sprintf("%s (%s)", assess.QuoteName(name), assess.DescribeNetwork(f.Network, f.Plugins)))
		}
	}
	if len(names) == 0 {
		return "the others"
	}
	return strings.Join(names, ", ")
}

// conflictOf returns why the evidence does not decide, as a clause; "" if there is none.
func conflictOf(a assess.Assessment) string {
	for _, problem := range a.Problems {
		if problem.Kind == assess.IntentUnknown && problem.Evidence != "" {
			return " (" + problem.Evidence + ")"
		}
	}
	return ""
}

// worstAdvice returns the advice of the worst problem.
func worstAdvice(a assess.Assessment) string {
	for _, problem := range a.Problems {
		if text := problem.Advice(); text != "" && !problem.Minor {
			text = strings.TrimSuffix(text, ".") + ", and run this again"
			if problem.Kind == assess.RogueInUse {
				return strings.ToLower(text[:1]) + text[1:] // the caller names the rogue
			}
			return strings.TrimSpace(assess.QuoteName(problem.File)+" "+problem.What) + ". " + text
		}
	}
	return "run guardctl conf for details"
}

// waitingProgram returns which program waits for a file by its name, so that it should not
// be renamed; "" if none does. must is false for a program that waits only to report itself
// ready: the file is renamed if the guard cannot go anywhere else.
func (r Request) waitingProgram(name string) (who string, must bool) {
	all, _ := conflist.Names(r.Site.ConfDir)
	for _, other := range all {
		l, err := conflist.Read(r.Site.ConfDir, other)
		if err != nil || !l.Multus() {
			continue
		}
		h := l.MultusConfig()
		switch {
		case h.ReadinessFile != "" && filepath.Base(h.ReadinessFile) == name:
			return fmt.Sprintf("Multus waits for it on every ADD (readinessindicatorfile of %s)", assess.QuoteName(other)), true
		case filepath.IsAbs(h.ClusterNetwork) && filepath.Base(h.ClusterNetwork) == name:
			return fmt.Sprintf("Multus delegates pods to it by this path (clusterNetwork of %s)", assess.QuoteName(other)), true
		}
	}
	if name == "10-ovn-kubernetes.conf" { // ovn-kubernetes#1117, #3586
		return "OVN-Kubernetes waits for it by this name (the readiness probe of ovnkube-node)", false
	}
	return "", false
}

// Intent returns what the record says about the intended file of a config directory; nil if
// it is the record of another directory, or has no file.
func (r *Record) Intent(confDir string) *assess.Record {
	if r == nil || r.Edit.Path == "" || r.Site.ConfDir != confDir && resolveLinks(r.Site.ConfDir) != resolveLinks(confDir) {
		return nil
	}
	in := &assess.Record{File: filepath.Base(r.Edit.Path), Placement: r.Placement.String(), NamedByOperator: r.Named}
	if r.Edit.From != "" {
		in.Source = filepath.Base(r.Edit.From)
	}
	if l, err := conflist.Parse(in.File, r.Edit.Original); err == nil {
		in.Network = l.Name
	} else if l, err := conflist.Parse(in.Source, r.Edit.Original); err == nil {
		in.Network = l.Name
	}
	for _, path := range filesOf(confDir) {
		name := filepath.Base(path)
		if content, err := os.ReadFile(path); err == nil && name != in.File && conflist.Loadable(name) && hash(content) == r.Edit.After {
			in.SameContent = append(in.SameContent, name)
		}
	}
	return in
}

// A target is the file into which the guard belongs.
type target struct {
	conflist.File
	multus string // the file that the runtime selects, if that is Multus's
}

// selected returns the name of the file that the runtime selects.
func (t target) selected() string { return cmp.Or(t.multus, t.Name) }

// target returns the file that the runtime selects or, if that is Multus's, the one that
// Multus delegates pods to. Multus rewrites its own file, and would call a guard there for
// every network.
func (v view) target(r conflist.Runtime) (target, error) {
	f, err := v.effective(r)
	if err != nil || !f.Multus() {
		return target{File: f}, err
	}
	multus, err := conflist.Read(v.dir, f.Name)
	if err != nil {
		return target{}, errors.New(v.translate(err.Error()))
	}
	name, l, err := conflist.DelegateFile(v.dir, multus, r)
	if err != nil {
		return target{}, errors.New(v.translate(err.Error()))
	}
	t := target{File: conflist.File{Name: name, Network: l.Name, CNIVersion: l.CNIVersion}, multus: f.Name}
	for _, p := range l.Plugins {
		t.Plugins = append(t.Plugins, p.Type)
		if p.DropIn != "" {
			t.DropIns = append(t.DropIns, p.DropIn)
		}
	}
	return t, v.checkLibcni(t.File)
}

// checkPlacement refuses a placement that does not work on this node.
func (r Request) checkPlacement(t target) error {
	switch {
	case r.Placement == Bookend && slices.Contains(t.Plugins, "cilium-cni"):
		return fmt.Errorf("insert the guard first in %s: cilium-cni does not accept the result of a plugin before it: use --placement inline", t.Name)
	case r.Placement == Own && t.multus != "":
		return fmt.Errorf("write %s: it would take the place of %s, and Multus would delegate pods to it: use --placement inline, which edits %s", conflist.OwnFile, t.multus, t.Name)
	case r.Placement == Bookend && t.multus != "":
		return fmt.Errorf("insert the guard first in %s: it is not known how Multus handles a list that begins with the guard: use --placement inline", t.Name)
	case r.Placement == Own && isPerReleaseDir(r.siteAsNamed.BinDir):
		return fmt.Errorf("write %s: this k3s has a plugin directory for every release (%s), and after the next upgrade no pod would start, because %s would name a missing plugin: use --placement inline, or k3s v1.31.1 or later", conflist.OwnFile, r.siteAsNamed.BinDir, conflist.OwnFile)
	}
	return nil
}
