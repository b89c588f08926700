// SPDX-License-Identifier: Apache-2.0

package installer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/installer"
)

// Each fixture is a conf dir: what install --dry-run says of it ("plan"), and what
// it makes of it ("after/…"); or why it refuses ("error"). CNI_GUARD_UPDATE=1
// writes them anew, for the eye to judge.
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
	before, programs := n.folder("conf"), n.folder("bin")
	p, err := installer.Install(n.request)
	if now := n.folder("conf"); now != before || n.folder("bin") != programs {
		n.t.Errorf("the plan alone changed something: %s", now)
	}
	if err != nil {
		return "-- error --\n" + n.plain(err.Error()) + "\n"
	}
	text := "-- plan --\n" + n.show(p)
	n.must(installer.Install)
	text += strings.ReplaceAll(n.folder("conf"), "-- ", "-- after/")
	if again := n.must(installer.Install); len(again.Steps) > 0 {
		n.t.Errorf("the second time it would %s", n.show(again))
	}
	n.must(installer.Uninstall)
	if now := n.folder("conf"); now != before && !strings.Contains(before, "cni-guard") {
		n.t.Errorf("uninstalled, the folder has\n%s\nand had\n%s", now, before)
	}
	return strings.ReplaceAll(text, " --after/", " --")
}

// expected gives the sections that are wanted.
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
