// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"fmt"
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

// choose returns the file that the guard goes into: the one that the operator named, or
// the intended file, if pods get it. Which file is intended is for package assess to
// decide.
func (p *Plan) choose(r Request, record *Record) (target, error) {
	v, err := r.newView(nil)
	if err != nil {
		return target{}, err
	}
	defer v.close()
	s, err := conflist.Select(r.Site.ConfDir, r.runtimeIn(v))
	if err != nil {
		return target{}, err
	}
	if r.File != "" {
		return r.chosen(s)
	}
	if r.Placement == Own && broken(filepath.Join(r.Site.ConfDir, conflist.OwnFile)) {
		return r.sourceOfBroken(record)
	}
	now, err := v.target(r.runtimeIn(v))
	if err != nil {
		return now, fmt.Errorf("%w%s", err, remedy(err))
	}
	if exists(r.marker()) {
		record = nil // uninstall was run since
	}
	in := r.intent(s, record)
	return now, p.agree(r, assess.Assess(s, in), now, in.Record)
}

// broken reports whether a file is there and is no configuration, as after a power
// failure or on a full disk: containerd loads nothing because of it.
func broken(path string) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	_, err = conflist.Parse(filepath.Base(path), content)
	return err != nil
}

// sourceOfBroken returns the file that our own copy, which is broken, is to be made of
// again: the intended file of the folder without it, of the network on record.
func (r Request) sourceOfBroken(record *Record) (target, error) {
	v, err := r.newView(map[string][]byte{conflist.OwnFile: nil})
	if err != nil {
		return target{}, err
	}
	defer v.close()
	now, err := v.target(r.runtimeIn(v))
	if err != nil {
		return now, fmt.Errorf("find what %s, which is broken, was a copy of: %w%s", conflist.OwnFile, err, remedy(err))
	}
	s, err := conflist.Select(v.dir, r.runtimeIn(v))
	if err != nil {
		return now, err
	}
	in := r.intent(s, record)
	a := assess.Assess(s, in)
	if a.Intended != now.Name || in.Record != nil && in.Record.Network != "" && in.Record.Network != now.Network {
		return now, fmt.Errorf("%s is broken, and %s (%s), which pods would get without it, is not known to be what it was a copy of: put away the file that is one too many, or put the other back, and run this again", conflist.OwnFile, assess.QuoteName(now.Name), assess.DescribeNetwork(now.Network, now.Plugins))
	}
	return now, nil
}

// chosen returns the file that the operator named.
func (r Request) chosen(s conflist.Selection) (target, error) {
	f := s.Find(r.File)
	if f == nil {
		return target{}, fmt.Errorf("%s is none of the files that a runtime loads from %s", printable.String(r.File), r.named.ConfDir)
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

// agree makes sure that pods get the intended file, that it serves a cluster, and that
// it is the one on record.
func (p *Plan) agree(r Request, a assess.Assessment, now target, record *assess.Record) error {
	gets := fmt.Sprintf("pods get %s (%s)", assess.QuoteName(now.Name), assess.DescribeNetwork(now.Network, now.Plugins))
	named := func(name string) string { return "guardctl install --file " + printable.Word(name) }
	f := a.Selection.Find(a.Intended)
	switch {
	case f == nil && now.Name == conflist.OwnFile:
		return fmt.Errorf("%s, the copy of a file that is no longer there, beside %s: if one of those is of the network plugin that this node has now, run guardctl install --file with its name; if not, put the file of network %q back", gets, candidates(a, now.Name), now.Network)
	case f == nil:
		return fmt.Errorf("%s, and nothing says whether that is the network of this node, beside %s%s: put away the file that is one too many (guardctl conf shows them), or, if %s is right, run %s", gets, candidates(a, now.Name), unclear(a), assess.QuoteName(now.Name), named(now.Name))
	case assess.IsSample(*f) && (record == nil || !record.NamedByOperator):
		return fmt.Errorf("%s is a sample that comes with a package, and serves no cluster: the network of this node is not there yet: install the network plugin, and then run this again; to guard the sample all the same, run %s", assess.QuoteName(f.Name), named(f.Name))
	case a.Intended != now.Name && !mends(a, now.Name):
		return fmt.Errorf("%s, and the intended file is %s: %s", gets, assess.QuoteName(a.Intended), advice(a))
	case record != nil && a.Basis != assess.ByRecord && a.Basis != assess.ByOperator && record.File != now.Name:
		return fmt.Errorf("%s, and by %s the guard is in %s (network %q), which is gone: if %s is of the network plugin that this node has now, run %s; if not, put the other file back", gets, recordPath(r.RecordDir), assess.QuoteName(record.File), record.Network, assess.QuoteName(now.Name), named(now.Name))
	case record != nil && record.File != now.Name && record.Source != now.Name && now.Name != conflist.OwnFile:
		p.note("the guard goes into %s, of the same network as %s, into which it was put before", assess.QuoteName(now.Name), assess.QuoteName(record.File))
	}
	return nil
}

// mends reports whether the guard's own answer to a file in use is to install again: it
// is what the intended file was made of.
func mends(a assess.Assessment, name string) bool {
	return slices.ContainsFunc(a.Problems, func(p assess.Problem) bool {
		return p.File == name && p.Kind == assess.SourceInUse
	})
}

// candidates names the files that may be intended, but for one.
func candidates(a assess.Assessment, but string) string {
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

// unclear says why the evidence does not decide, as a clause; "" where there is none.
func unclear(a assess.Assessment) string {
	for _, problem := range a.Problems {
		if problem.Kind == assess.IntentUnknown && problem.Evidence != "" {
			return " (" + problem.Evidence + ")"
		}
	}
	return ""
}

// advice returns what the worst problem says to do.
func advice(a assess.Assessment) string {
	for _, problem := range a.Problems {
		if text := problem.Advice(); text != "" && !problem.Minor {
			text = strings.TrimSuffix(text, ".") + ", and run this again"
			if problem.Kind == assess.RogueInUse {
				return strings.ToLower(text[:1]) + text[1:] // that the file is the rogue was said
			}
			return strings.TrimSpace(assess.QuoteName(problem.File)+" "+problem.What) + ". " + text
		}
	}
	return "guardctl conf says more"
}

// waited returns who waits for a file by its name, so that it must not be renamed; ""
// for nobody. Must is false for a program that waits only to report itself ready: where
// the guard can go nowhere else, the file is renamed all the same.
func (r Request) waited(name string) (who string, must bool) {
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
			return fmt.Sprintf("Multus hands pods on to it by this path (clusterNetwork of %s)", assess.QuoteName(other)), true
		}
	}
	if name == "10-ovn-kubernetes.conf" { // ovn-kubernetes#1117, #3586
		return "OVN-Kubernetes waits for it by this name (the readiness probe of ovnkube-node)", false
	}
	return "", false
}
