// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// realFiles returns the files of the corpus of package assess: real contents, by names
// that fit them.
func realFiles(t *testing.T) (all []txtar.File) {
	t.Helper()
	paths, err := filepath.Glob("../../../pkg/conflist/assess/testdata/*.txtar")
	if err != nil || len(paths) < 60 {
		t.Fatal("the corpus has less than 60 directories:", len(paths), err)
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if name, ok := strings.CutPrefix(f.Name, "net.d/"); ok {
				all = append(all, txtar.File{Name: name, Data: f.Data})
			}
		}
	}
	return all
}

// A lifetime is a node on which the guard was installed, or could not be, and whose
// directory changed after that.
type lifetime struct {
	*node
	random *rand.Rand
	files  []txtar.File
}

// plantOne writes a file of the corpus under its own name, or one that sorts first.
func (l *lifetime) plantOne() {
	f := l.files[l.random.IntN(len(l.files))]
	name := f.Name
	if l.random.IntN(4) == 0 {
		name = "02-first" + filepath.Ext(name)
	}
	l.write("conf/"+name, string(f.Data), 0o600)
}

// change does what network plugins and people do: write a file again as it was before
// the guard, or with another setting, empty one, add one, remove one.
func (l *lifetime) change(before map[string]string) {
	here := l.contents()
	some := slices.Sorted(maps.Keys(here))
	switch l.random.IntN(6) {
	case 0, 1:
		for name, text := range before {
			l.write("conf/"+name, text, 0o600)
		}
	case 2, 3:
		for name, text := range before {
			l.write("conf/"+name, strings.Replace(text, `"type"`, `"mtu": 1400, "type"`, 1), 0o600)
		}
	case 4:
		if name := some[l.random.IntN(len(some))]; here[conflist.OwnFile] != "" {
			l.write("conf/"+conflist.OwnFile, "", 0o600)
		} else if err := os.Remove(l.path("conf/" + name)); err != nil {
			l.t.Fatal(err)
		}
	case 5:
		l.plantOne()
	}
}

// contents returns the files of the config directory.
func (l *lifetime) contents() map[string]string {
	entries, err := os.ReadDir(l.path("conf"))
	if err != nil {
		l.t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if e.Type().IsRegular() {
			all[e.Name()] = l.read("conf/" + e.Name())
		}
	}
	return all
}

func (l *lifetime) assess() assess.Assessment {
	s, err := conflist.Select(l.path("conf"), l.request.Site.Runtime)
	if err != nil {
		l.t.Fatal(err)
	}
	record, err := installer.ReadRecord(l.request.RecordDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.t.Fatal(err)
	}
	return assess.Assess(s, assess.Intent{Record: record.Intent(l.path("conf"))})
}

// follow runs an install command, and reports whether it did something. Pods must get
// the intended network then; a command that refuses must leave everything as it is.
func (l *lifetime) follow(a assess.Assessment, command string) bool {
	r, before := l.request, l.contents()
	r.Placement = ""
	words := strings.Fields(command)
	if i := slices.Index(words, "--placement"); i > 0 {
		r.Placement = installer.Placement(words[i+1])
	}
	_, steps, err := installer.Do(r, installer.Install, func(installer.Step) {})
	if err != nil {
		if now := l.contents(); !maps.Equal(now, before) {
			l.t.Fatalf("%q failed (%v) and changed %v to %v", command, err, before, now)
		}
		l.t.Logf("%q refuses: %v", command, err)
		return false
	}
	s, err := conflist.Select(l.path("conf"), r.Site.Runtime)
	if err != nil {
		l.t.Fatal(err)
	}
	e, want := s.Effective(), a.Selection.Find(a.Intended).Network
	if e == nil {
		l.t.Fatalf("after %q in %v the runtime takes nothing (%v)", command, before, s.Err)
	}
	list, err := s.Read(e.Name)
	if err != nil || want != "" && e.Network != want && !list.DelegatesTo(a.Intended, want) {
		l.t.Fatalf("after %q in %v pods get %s (network %q, %v), and %s (network %q) is intended", command, before, e.Name, e.Network, err, a.Intended, want)
	}
	return steps > 0
}

// Following an install command that conf and doctor print never leaves a directory in which
// the runtime takes nothing, or another network than the intended one, whatever became
// of the directory since the installation.
func TestInstallCommandsAreSafe(t *testing.T) {
	l := &lifetime{node: newNode(t), random: rand.New(rand.NewPCG(10, 2026)), files: realFiles(t)}
	all := strings.Replace(answers, `["0.4.0"`, `["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0"`, 1)
	l.write("new/cni-guard", all, 0o755)
	l.request.Supports = func(string, string) error { return nil }
	l.request.Site.Runtime.Supports = l.request.Supports
	for _, f := range l.files {
		list, _ := conflist.Parse(f.Name, f.Data) // some are broken
		for _, p := range list.Plugins {
			if name := filepath.Base(p.Type); name != conflist.GuardType && name != "." {
				l.write("bin/"+name, all, 0o755)
			}
		}
	}
	followed := 0
	for range 160 {
		for _, dir := range []string{"conf", "record"} {
			if err := errors.Join(os.RemoveAll(l.path(dir)), os.Mkdir(l.path(dir), 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		l.request.Site.Runtime.Kind = conflist.Kind(1 + l.random.IntN(3))
		l.plantOne()
		before := l.contents()
		l.request.Placement = installer.Placement(installer.Placements()[l.random.IntN(2)])
		if _, _, err := installer.Do(l.request, installer.Install, func(installer.Step) {}); err != nil && !maps.Equal(l.contents(), before) {
			t.Fatalf("install failed (%v) and changed the directory", err)
		}
		for range 1 + l.random.IntN(2) {
			if len(l.contents()) > 0 {
				l.change(before)
			}
		}
		a := l.assess()
		for _, p := range a.Problems {
			if strings.HasPrefix(p.Command, "guardctl install") && l.follow(a, p.Command) {
				followed++
				break // the others are of a directory that is no longer
			}
		}
	}
	t.Logf("%d commands were followed", followed)
	if followed < 30 {
		t.Errorf("only %d commands were followed in 160 directories", followed)
	}
}
