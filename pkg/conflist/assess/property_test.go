// SPDX-License-Identifier: Apache-2.0

package assess_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/assess"
)

// anyFolder makes up a directory of up to five files, of real contents under real and
// unreal names, and an intent.
func anyFolder(random *rand.Rand, all []shape) (files map[string]string, in assess.Intent) {
	names := []string{
		"00-cni-guard.conflist", "00-multus.conf", ".10-calico.conflist", "05-old.conf", "10-calico.conflist",
		"10-calico-backup.conflist", "10-containerd-net.conflist", "10-flannel.conflist", "20-weave.conflist", "87-podman.conflist",
	}
	files = map[string]string{}
	for range 1 + random.IntN(5) {
		name := names[random.IntN(len(names))]
		some := all[random.IntN(len(all))]
		from := slices.Sorted(mapKeys(some.files))
		if len(from) == 0 {
			continue
		}
		source := from[random.IntN(len(from))]
		if filepath.Ext(source) == ".conf" {
			name = strings.TrimSuffix(name, filepath.Ext(name)) + ".conf"
		}
		files[name] = some.files[source]
	}
	switch random.IntN(4) {
	case 0:
		in.Record = &assess.Record{File: names[random.IntN(len(names))], Network: []string{"", "k8s-pod-network", "cbr0"}[random.IntN(3)]}
	case 1:
		in.Allow = []string{names[random.IntN(len(names))]}
	case 2:
		in.Network = []string{"k8s-pod-network", "cbr0", "weave"}[random.IntN(3)]
	}
	return files, in
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Following a command never leaves a directory in which the runtime takes nothing, or
// another network than the intended one; and where the intended one is unknown there
// is no command.
func TestCommandsAreSafe(t *testing.T) {
	all := shapes(t)
	random := rand.New(rand.NewPCG(4, 2026))
	commands := 0
	dir := t.TempDir()
	for range 2000 {
		for _, name := range namesIn(t, dir) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		files, in := anyFolder(random, all)
		r := conflist.NewRuntime(conflist.Kind(1 + random.IntN(3)))
		if r.Kind == conflist.Containerd {
			r.MaxConfNum = []int{1, 1, 1, 0, 2}[random.IntN(5)]
		}
		if r.Kind == conflist.CRIO {
			r.DefaultNetwork = []string{"", "", "cbr0"}[random.IntN(3)]
		}
		s := shape{files: files}
		s.make(t, dir)
		selection, err := conflist.Select(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		a := assess.Assess(selection, in)
		for _, p := range a.Problems {
			away := quarantined(p.Command)
			if p.Command == "" {
				continue
			}
			commands++
			if a.Intended == "" {
				t.Fatalf("%v by %+v: the intended file is unknown, and the command is %q", files, r, p.Command)
			}
			if len(away) == 0 {
				continue // guardctl install has its own tests
			}
			if err := a.CheckQuarantine(away...); err != nil {
				t.Fatalf("%v, %+v, by %+v: %q would be refused: %v", files, in, r, p.Command, err)
			}
			for _, name := range away {
				if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".away")); err != nil {
					t.Fatal(err)
				}
			}
			then, err := conflist.Select(dir, r)
			if err != nil {
				t.Fatal(err)
			}
			if e := then.Effective(); e == nil || !serves(then, a, e.Name, in) {
				t.Fatalf("%v, %+v, by %+v: after %q pods get %+v (%v); intended is %s", files, in, r, p.Command, e, then.Err, a.Intended)
			}
			for _, name := range away {
				if err := os.Rename(filepath.Join(dir, name+".away"), filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if commands < 400 {
		t.Errorf("only %d commands in 2000 directories", commands)
	}
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// serves reports whether pods get the intended network by a file.
func serves(s conflist.Selection, a assess.Assessment, name string, in assess.Intent) bool {
	if name == a.Intended || slices.Contains(in.Allow, name) {
		return true
	}
	e, intended := s.Find(name), s.Find(a.Intended)
	if e == nil || intended == nil {
		return false
	}
	l, err := s.Read(name)
	return err == nil && (e.Network == intended.Network || l.DelegatesTo(intended.Name, intended.Network))
}

// quarantined returns the names that a command puts away.
func quarantined(command string) (names []string) {
	rest, ok := strings.CutPrefix(command, "guardctl conf quarantine ")
	if !ok {
		return nil
	}
	for _, path := range strings.Fields(rest) {
		names = append(names, filepath.Base(path))
	}
	return names
}
