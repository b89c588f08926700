// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/killed"
	"github.com/cni-guard/cni-guard/conformance/rigtest"
)

// prepare makes the node as it is before the command.
func (s scene) prepare(t testing.TB, guard, from, ref string) *Node {
	t.Helper()
	runtime := s.runtime
	if runtime == "" {
		runtime = "containerd"
	}
	dir, err := os.MkdirTemp(t.TempDir(), "node")
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNode(dir, runtime, guard, ref)
	if err == nil {
		n.From = from
		err = os.WriteFile(filepath.Join(n.Conf(), s.file), []byte(s.content), 0o640)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.before {
		if err := n.Run(c[0], c[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	if s.changed {
		s.change(t, n)
	}
	return n
}

func (s scene) change(t testing.TB, n *Node) {
	t.Helper()
	path := filepath.Join(n.Conf(), s.file)
	doc, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(doc, []byte("12345678901234567890"), []byte("9"), 1), 0o640)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s scene) check(t testing.TB, n *Node, i killed.Interruption) {
	t.Helper()
	s.works(t, n)
	if i.Call == "" && i.Exit != 0 {
		t.Errorf("it failed: %s", i.Output)
	}
	if i.Call != "" {
		if err := n.Run(s.command[0], s.command[1:]...); err != nil {
			t.Errorf("run again: %v", err)
		}
	}
	s.done(t, n)
}

// works wants a network all of whose plugins are there.
func (s scene) works(t testing.TB, n *Node) []string {
	t.Helper()
	network, plugins, err := n.Selected()
	if err != nil || network != "pods" {
		t.Errorf("the runtime has network %q: %v", network, err)
	}
	return plugins
}

// done wants things as they are when the command came to its end, with nothing
// else left behind; what was installed can be undone.
func (s scene) done(t testing.TB, n *Node) {
	t.Helper()
	plugins := s.works(t, n)
	if slices.Contains(plugins, "cni-guard") != s.guarded {
		t.Errorf("the list has %q", plugins)
	}
	wantNothingBeside(t, n)
	if s.command[0] == "upgrade" {
		wantSame(t, filepath.Join(n.Bin(), "cni-guard"), filepath.Join(n.From, "cni-guard"))
		wantSame(t, filepath.Join(n.Bin(), "loopback"), filepath.Join(n.From, "loopback"))
	}
	if s.command[0] == "install" {
		if err := n.Run("uninstall"); err != nil {
			t.Error(err)
		}
	}
	if s.command[0] != "upgrade" {
		s.asBefore(t, n)
	}
	_, err := os.Stat(filepath.Join(n.Bin(), "cni-guard"))
	if s.gone != os.IsNotExist(err) {
		t.Errorf("the plugin is there: %v", err)
	}
}

// wantNothingBeside wants no file that was not finished.
func wantNothingBeside(t testing.TB, n *Node) {
	t.Helper()
	for _, pattern := range []string{"conf/*.cni-guard-new", "bin/*.cni-guard-new", "record/*.cni-guard-new", "record/view-*"} {
		if left, _ := filepath.Glob(filepath.Join(n.Dir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

// asBefore wants the primary plugin's file byte for byte, alone, with its mode.
func (s scene) asBefore(t testing.TB, n *Node) {
	t.Helper()
	want := s.content
	if s.changed {
		want = strings.Replace(want, "12345678901234567890", "9", 1)
	}
	path := filepath.Join(n.Conf(), s.file)
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s has %q, %v", s.file, got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%s: %v, %v", s.file, info.Mode(), err)
	}
	if entries, err := os.ReadDir(n.Conf()); err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v, %v", entries, err)
	}
	wantSame(t, filepath.Join(n.Bin(), "loopback"), filepath.Join(rigtest.RefDir(t), "loopback"))
}

func wantSame(t testing.TB, a, b string) {
	t.Helper()
	left, errA := os.ReadFile(a)
	right, errB := os.ReadFile(b)
	if errA != nil || errB != nil || !bytes.Equal(left, right) {
		t.Errorf("%s is not %s: %v, %v", a, b, errA, errB)
	}
}
