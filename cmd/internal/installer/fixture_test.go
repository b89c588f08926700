// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/cmd/internal/installer"
	"github.com/cni-guard/cni-guard/cmd/internal/site"
	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// answers is a program that answers VERSION.
const answers = "#!/bin/sh\necho '{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'\n"

// A node has the directories conf, bin, new, record and cache in one directory.
type node struct {
	t       testing.TB
	dir     string
	request installer.Request
}

func newNode(t testing.TB) *node {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, dir: dir}
	for _, d := range []string{"conf", "bin", "new", "record", "cache/results"} {
		if err := os.MkdirAll(n.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"bin/bridge", "bin/cilium-cni", "bin/multus", "bin/flannel", "bin/portmap", "bin/terway", "bin/cni-kindnet", "bin/ovn-k8s-cni-overlay", "new/cni-guard", "new/guardctl", "new/loopback"} {
		n.write(p, answers, 0o755)
	}
	r := conflist.NewRuntime(conflist.Containerd)
	r.BinDirs = []string{n.path("bin")}
	n.request = installer.Request{
		Site:      site.Site{Runtime: r, ConfDir: n.path("conf"), BinDir: n.path("bin"), CacheDir: n.path("cache")},
		RecordDir: n.path("record"), From: n.path("new"), Placement: installer.Inline, Grace: installer.Grace,
	}
	return n
}

func (n *node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *node) write(name, content string, mode os.FileMode) {
	n.t.Helper()
	if err := os.WriteFile(n.path(name), []byte(content), mode); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Chmod(n.path(name), mode); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) read(name string) string {
	n.t.Helper()
	content, err := os.ReadFile(n.path(name))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(content)
}

// plant writes the files conf/… and new/… of a fixture, with links for those that begin
// with "->", and reads the settings in its comment.
func (n *node) plant(a *txtar.Archive) {
	n.t.Helper()
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "conf/") && !strings.HasPrefix(f.Name, "new/") {
			continue
		}
		if to, isLink := strings.CutPrefix(strings.TrimSpace(string(f.Data)), "->"); isLink {
			if err := os.Symlink(to, n.path(f.Name)); err != nil {
				n.t.Fatal(err)
			}
			continue
		}
		content := strings.ReplaceAll(string(f.Data), "BOM", "\ufeff")
		if text, is := strings.CutPrefix(content, "UTF16"); is {
			content = utf16(text)
		}
		n.write(f.Name, content, 0o640)
		when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // appears in messages about files that are in the way
		if err := os.Chtimes(n.path(f.Name), when, when); err != nil {
			n.t.Fatal(err)
		}
	}
	for line := range strings.Lines(string(a.Comment)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			n.set(key, value)
		}
	}
}

func (n *node) set(key, value string) {
	n.t.Helper()
	var err error
	switch r := &n.request; key {
	case "placement":
		err = r.Placement.Set(value)
	case "file":
		r.File = value
	case "mode":
		r.Mode = value
	case "allow":
		r.Allow = []string{value}
	case "runtime":
		r.Site.Runtime.Kind, err = conflist.ParseKind(value)
	case "max-conf-num":
		r.Site.Runtime.MaxConfNum, err = strconv.Atoi(value)
	case "default-network":
		r.Site.Runtime.DefaultNetwork = value
	default:
		err = errors.New("no such setting: " + key)
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// listing returns the files of a directory in the form of a fixture.
func (n *node) listing(name string) string {
	n.t.Helper()
	entries, err := os.ReadDir(n.path(name))
	if err != nil {
		n.t.Fatal(err)
	}
	var a txtar.Archive
	for _, e := range entries {
		f := txtar.File{Name: e.Name()}
		if to, err := os.Readlink(n.path(name + "/" + e.Name())); err == nil {
			f.Data = []byte("->" + to + "\n")
		} else if !e.IsDir() {
			f.Data = []byte(n.read(name + "/" + e.Name()))
		}
		a.Files = append(a.Files, f)
	}
	slices.SortFunc(a.Files, func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
	return n.plain(string(txtar.Format(&a)))
}

// plain takes the node's own directory out of a text.
func (n *node) plain(text string) string { return strings.ReplaceAll(text, n.dir, "NODE") }

// show returns a plan as --dry-run does.
func (n *node) show(p installer.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "would %s\n%s", s.Does, s.Diff)
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	return n.plain(b.String())
}

// must makes a plan and does it.
func (n *node) must(make func(installer.Request) (installer.Plan, error)) installer.Plan {
	n.t.Helper()
	p, err := make(n.request)
	if err == nil {
		err = p.Run(func(installer.Step) {})
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// Each fixture is a config directory: what install --dry-run says of it ("plan"), and what
// it makes of it ("after/…"); or why it refuses ("error"). CNI_GUARD_UPDATE=1
// rewrites them, to be reviewed by hand.
func TestFixtures(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 10 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			n := newNode(t)
			n.plant(a)
			got := n.play()
			if os.Getenv("CNI_GUARD_UPDATE") == "1" {
				update(t, path, a, got)
			}
			if want := expected(a); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// play plans, does, plans again, and undoes.
func (n *node) play() string {
	n.t.Helper()
	before, programs := n.listing("conf"), n.listing("bin")
	p, err := installer.Install(n.request)
	if now := n.listing("conf"); now != before || n.listing("bin") != programs {
		n.t.Errorf("the plan alone changed something: %s", now)
	}
	if err != nil {
		return "-- error --\n" + n.plain(err.Error()) + "\n"
	}
	text := "-- plan --\n" + n.show(p)
	n.must(installer.Install)
	text += strings.ReplaceAll(n.listing("conf"), "-- ", "-- after/")
	if again := n.must(installer.Install); len(again.Steps) > 0 {
		n.t.Errorf("the second time it would %s", n.show(again))
	}
	n.must(installer.Uninstall)
	if now := n.listing("conf"); now != before && !strings.Contains(before, "cni-guard") {
		n.t.Errorf("uninstalled, the directory has\n%s\nand had\n%s", now, before)
	}
	return strings.ReplaceAll(text, " --after/", " --")
}

// expected returns the sections that are wanted.
func expected(a *txtar.Archive) string {
	var want txtar.Archive
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "conf/") && !strings.HasPrefix(f.Name, "new/") {
			want.Files = append(want.Files, f)
		}
	}
	return string(txtar.Format(&want))
}

func update(t *testing.T, path string, a *txtar.Archive, got string) {
	t.Helper()
	kept := txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "conf/") || strings.HasPrefix(f.Name, "new/") {
			kept.Files = append(kept.Files, f)
		}
	}
	if err := os.WriteFile(path, append(txtar.Format(&kept), got...), 0o644); err != nil {
		t.Fatal(err)
	}
}
