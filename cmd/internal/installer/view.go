// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containernetworking/cni/libcni"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// A view is a config directory as it will be after changes: links to the files that stay,
// and the new files.
type view struct {
	dir  string // with the links
	real string // the config directory itself
	top  string // the parent of dir, with the stand-in of the plugin
}

// viewPrefix is the prefix of the names of views.
const viewPrefix = "view-"

// newView creates a view; changes has the content of files by name, nil for a file that is
// removed. The caller must close it.
func (r Request) newView(changes map[string][]byte) (v view, err error) {
	v.real = r.Site.ConfDir
	parent := r.viewParent()
	if v.top, err = os.MkdirTemp(parent, viewPrefix); err != nil {
		return v, fmt.Errorf("preview the changed directory: %w: free some space (df %s)", err, cmp.Or(parent, os.TempDir()))
	}
	defer func() {
		if err != nil {
			v.close()
			err = fmt.Errorf("preview the changed directory: %w", err)
		}
	}()
	v.dir = filepath.Join(v.top, "conf")
	if err := v.prepare(); err != nil {
		return v, err
	}
	if err := v.link(v.real, v.dir, changes); err != nil {
		return v, err
	}
	for name, content := range changes {
		if content != nil {
			if err := os.WriteFile(filepath.Join(v.dir, name), content, 0o600); err != nil {
				return v, err
			}
		}
	}
	return v, nil
}

// viewParent returns the directory for views; "" is the default for temporary files. In the
// record directory, which a dry run does not change, Lock removes the views of commands that
// were killed. TMPDIR is the container's, not the node's.
func (r Request) viewParent() string {
	switch {
	case !r.DryRun && exists(r.RecordDir):
		return r.RecordDir
	case r.rooted && isDir("/run"):
		return "/run"
	case r.rooted:
		return "/tmp"
	}
	return ""
}

// prepare creates the empty directory, and a stand-in for the plugin, which may not be
// installed yet.
func (v view) prepare() error {
	if err := os.Mkdir(v.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(v.standIn(), nil, 0o600)
}

func (v view) standIn() string { return filepath.Join(v.top, plugin) }

// runtimeFor returns the runtime of the site as it will be once the programs are installed.
func (r Request) runtimeFor(v view) conflist.Runtime {
	run := r.Site.Runtime
	run.BinDirs = append(slices.Clone(run.BinDirs), v.top)
	run.Supports = func(binary, cniVersion string) error {
		switch {
		case binary == v.standIn() && r.release != nil:
			return r.release.supports(cniVersion)
		case binary == v.standIn() || r.Supports == nil:
			return nil
		}
		return r.Supports(binary, cniVersion)
	}
	return run
}

// link creates the links. A directory of drop-ins is created, because a link to one would be
// loadable, unlike the directory.
func (v view) link(from, to string, but map[string][]byte) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), filepath.Join(to, e.Name())
		if _, changed := but[e.Name()]; changed {
			continue
		}
		if !e.IsDir() {
			err = os.Symlink(source, target)
		} else if err = os.Mkdir(target, 0o700); err == nil && from == v.real {
			err = v.link(source, target, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v view) close() { _ = os.RemoveAll(v.top) }

// translate replaces the paths of the view in a message by the real ones.
func (v view) translate(text string) string {
	return strings.NewReplacer(v.dir, v.real, v.standIn(), plugin, ", "+v.top, "").Replace(text)
}

// effective returns the file that the runtime will select.
func (v view) effective(r conflist.Runtime) (conflist.File, error) {
	s, err := conflist.Select(v.dir, r)
	if err != nil {
		return conflist.File{}, errors.New(v.translate(err.Error()))
	}
	if f := s.Effective(); f != nil {
		return *f, v.checkLibcni(*f)
	}
	return conflist.File{}, errors.New(v.translate(s.Err.Error()))
}

// checkLibcni parses a list with libcni.
func (v view) checkLibcni(f conflist.File) error {
	if filepath.Ext(f.Name) != ".conflist" {
		return nil
	}
	if _, err := libcni.NetworkConfFromFile(filepath.Join(v.dir, f.Name)); err != nil {
		return errors.New(v.translate(err.Error()))
	}
	return nil
}

// snapshot returns the content of the directory.
func (v view) snapshot(effective string) (Snapshot, error) {
	s := Snapshot{Files: map[string]string{}, Effective: effective}
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return s, err
	}
	for _, e := range entries {
		path := filepath.Join(v.dir, e.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // a dangling link, a pipe, a directory
		}
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		s.Files[e.Name()] = hash(content)
		if e.Name() == effective {
			s.Content = content
		}
	}
	return s, nil
}

// changesOf merges the changes of several edits.
func changesOf(edits []change) map[string][]byte {
	all := map[string][]byte{}
	for _, e := range edits {
		maps.Copy(all, e.files)
	}
	return all
}

// checkResult checks that pods will get the file with the guard, with the same network as
// now, and that the guard will not refuse them.
func (r Request) checkResult(p *Plan, c change, now target) (target, Snapshot, error) {
	v, err := r.newView(c.files)
	if err != nil {
		return now, Snapshot{}, err
	}
	defer v.close()
	f, err := v.target(r.runtimeFor(v))
	switch {
	case err != nil:
		return f, Snapshot{}, fmt.Errorf("edit %s: the result would not be loaded: %w; nothing was changed", c.Path, err)
	case !slices.Contains(f.Plugins, conflist.GuardType):
		return f, Snapshot{}, fmt.Errorf("edit %s: the runtime would select %s, which has no guard; nothing was changed: see guardctl conf", c.Path, f.Name)
	case f.Network != now.Network:
		return f, Snapshot{}, fmt.Errorf("edit %s: pods would get network %q instead of %q; nothing was changed: see guardctl conf", c.Path, f.Network, now.Network)
	}
	p.warnOfAttachments(r, v)
	if err := r.checkRefusal(p, v, f, len(c.steps) > 0); err != nil {
		return f, Snapshot{}, err
	}
	s, err := v.snapshot(f.selected())
	return f, s, err
}

// checkRefusal runs the check conflist, as the guard will at the first pod. A finding is no
// reason to stop if the guard is installed already.
func (r Request) checkRefusal(p *Plan, v view, f target, edits bool) error {
	if f.multus != "" {
		return nil // the caller is Multus, which selects no file
	}
	found, enforced, err := v.probeConflist(r.runtimeFor(v), f)
	if err != nil {
		if errors.Is(err, errEntry) {
			p.note("no pod can start: %s; correct the entry in %s", v.translate(err.Error()), f.Name)
			return nil
		}
		p.note("the guard cannot judge %s: %s", v.real, v.translate(err.Error()))
		return nil
	}
	for _, finding := range found {
		clauses := slices.DeleteFunc([]string{finding.String(), finding.Evidence, finding.Impact}, func(s string) bool { return s == "" })
		problem := v.translate(strings.Join(clauses, "; "))
		switch {
		case finding.Minor:
		case !enforced:
			p.note("the guard will report with every pod: %s", problem)
		case !edits:
			p.note("the guard refuses every pod: %s", problem)
		default:
			name := filepath.Base(finding.Object)
			return fmt.Errorf("install the guard: it would refuse every pod: %s; nothing was changed. Run guardctl conf quarantine %s, or install with --allow '%s' to accept the file, or with --mode audit to report only", problem, name, name)
		}
	}
	return nil
}

// errEntry is wrapped if the existing entry is not valid: the guard then refuses every ADD.
var errEntry = errors.New("read the entry of cni-guard")

// probeConflist returns the findings of the check conflist, and whether they refuse pods.
func (v view) probeConflist(r conflist.Runtime, f target) ([]guard.Finding, bool, error) {
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
