// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/killed"
	"github.com/cni-guard/cni-guard/conformance/rig"
)

const (
	list = "{\n  \"cniVersion\": \"1.0.0\",\n  \"name\": \"pods\",\n  \"plugins\": [\n    {\"type\": \"bridge\", \"mtu\": 12345678901234567890}\n  ]\n}\n"
	conf = `{"cniVersion": "1.0.0", "name": "pods", "type": "bridge"}`
)

// A scene is a command that is interrupted, and what was there before.
type scene struct {
	name    string
	runtime string
	file    string // the primary plugin's
	content string
	before  [][]string // commands that were run
	command []string
	guarded bool // the guard is in the chain when the command is done
	flags   []string
	gone    bool // the programs are gone then
	changed bool // somebody wrote the file after before
}

func scenes() []scene {
	install, withLoopback := []string{"install"}, []string{"install", "--loopback"}
	own := []string{"install", "--placement", "own"}
	installed := [][]string{install}
	return []scene{
		{name: "install", file: "10-a.conflist", content: list, command: withLoopback, guarded: true},
		{name: "install crio", runtime: "crio", file: "10-a.conflist", content: list, command: install, guarded: true},
		{name: "install bookend", file: "10-a.conflist", content: list, command: []string{"install", "--placement", "bookend"}, guarded: true},
		{name: "install conf", file: "10-a.conf", content: conf, command: install, guarded: true},
		{name: "install json crio", runtime: "crio", file: "10-a.json", content: conf, command: install, guarded: true},
		{name: "install own", file: "10-a.conflist", content: list, command: own, guarded: true},
		{name: "install again", file: "10-a.conflist", content: list, before: [][]string{install, {"uninstall"}}, command: install, guarded: true},
		{name: "uninstall", file: "10-a.conflist", content: list, before: [][]string{withLoopback}, command: []string{"uninstall"}},
		{name: "uninstall changed", file: "10-a.conflist", content: list, before: installed, command: []string{"uninstall"}, changed: true},
		{name: "uninstall conf", file: "10-a.conf", content: conf, before: installed, command: []string{"uninstall"}},
		{name: "uninstall json", file: "10-a.json", content: conf, before: installed, command: []string{"uninstall"}},
		{name: "uninstall own crio", runtime: "crio", file: "10-a.conflist", content: list, before: [][]string{own}, command: []string{"uninstall"}},
		{name: "remove", file: "10-a.conflist", content: list, before: [][]string{install, {"uninstall"}}, command: []string{"uninstall", "--grace", "0s"}, gone: true},
		{name: "upgrade", file: "10-a.conflist", content: list, before: [][]string{withLoopback}, command: []string{"upgrade"}, guarded: true},
	}
}

// Wherever a command is killed, and whichever of its writes fails, the runtime
// selects the network with all its plugins; and the command, run again, is done.
func TestInterrupted(t *testing.T) {
	guard, ref := rig.GuardDir(t), rig.RefDir(t)
	first, other := filepath.Join(t.TempDir(), "first"), filepath.Join(t.TempDir(), "other")
	if err := errors.Join(StandIns(guard, first, "first"), StandIns(guard, other, "other")); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenes() {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
			var n *Node
			killed.Each(t, func(t testing.TB) *exec.Cmd {
				n = s.prepare(t, guard, first, ref)
				if s.command[0] == "upgrade" {
					n.From = other
				}
				return n.Command(s.command[0], s.command[1:]...)
			}, func(t testing.TB, i killed.Interruption) {
				s.check(t, n, i)
				if err := os.RemoveAll(n.Dir); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

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
// else left behind.
func (s scene) done(t testing.TB, n *Node) {
	t.Helper()
	plugins := s.works(t, n)
	if slices.Contains(plugins, "cni-guard") != s.guarded {
		t.Errorf("the list has %q", plugins)
	}
	if s.command[0] == "upgrade" {
		wantSame(t, filepath.Join(n.Bin(), "cni-guard"), filepath.Join(n.From, "cni-guard"))
		wantSame(t, filepath.Join(n.Bin(), "loopback"), filepath.Join(n.From, "loopback"))
	}
	if !s.guarded {
		s.asBefore(t, n)
	}
	for _, pattern := range []string{"conf/*.cni-guard-new", "bin/*.cni-guard-new", "record/*.cni-guard-new"} {
		if left, _ := filepath.Glob(filepath.Join(n.Dir, pattern)); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	_, err := os.Stat(filepath.Join(n.Bin(), "cni-guard"))
	if s.gone != os.IsNotExist(err) {
		t.Errorf("the plugin is there: %v", err)
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
	wantSame(t, filepath.Join(n.Bin(), "loopback"), filepath.Join(rig.RefDir(t), "loopback"))
}

func wantSame(t testing.TB, a, b string) {
	t.Helper()
	left, errA := os.ReadFile(a)
	right, errB := os.ReadFile(b)
	if errA != nil || errB != nil || !bytes.Equal(left, right) {
		t.Errorf("%s is not %s: %v, %v", a, b, errA, errB)
	}
}
