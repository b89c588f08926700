// SPDX-License-Identifier: Apache-2.0

package checks_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/checks"
	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/guard"
)

// The check refuses exactly where the simulator of the runtimes says that the next
// pod gets another network, one more, or none.
func TestConflistAgreesWithSelect(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4026))
	bin := confDir(t, map[string]string{"bridge": "", "ptp": "", "cni-guard": ""})
	serious := 0
	for range 3000 {
		dir, r := t.TempDir(), anyRuntime(random, bin)
		files := anyFiles(random)
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		selection, err := conflist.Select(dir, r)
		if err != nil {
			t.Fatal(err)
		}
		own := ownIn(dir)
		if own == "" {
			continue // nobody can tell which is the right one
		}
		findings := probe(t, &checks.Target{Conf: checks.Conf{Dir: dir, Network: "a", Runtime: r}})
		refuses := slices.ContainsFunc(findings, func(f guard.Finding) bool { return !f.Minor })
		if want := harmed(selection, own); refuses != want {
			t.Fatalf("%+v with %v: the check refuses %t (%v), by Select %t: %+v", r, files, refuses, findings, want, selection)
		}
		if refuses {
			serious++
		}
	}
	if serious < 500 || serious > 2500 {
		t.Errorf("%d of 3000 directories are refused: the generator tests one side only", serious)
	}
}

func anyRuntime(random *rand.Rand, bin string) conflist.Runtime {
	r := conflist.NewRuntime(conflist.Kind(1 + random.IntN(3)))
	r.BinDirs = []string{bin}
	r.Supports = func(string, string) error { return nil } // as guardctl, the check asks who can be asked
	if r.Kind == conflist.Containerd {
		r.MaxConfNum = []int{1, 1, 0, 2}[random.IntN(4)]
	}
	if r.Kind == conflist.CRIO {
		r.DefaultNetwork = []string{"", "", "a", "b"}[random.IntN(4)]
	}
	return r
}

// anyFiles makes a directory with the guard's file and up to three others.
func anyFiles(random *rand.Rand) map[string]string {
	names := []string{".a.conflist", "05-b.conflist", "10-a.conflist", "20-c.json", "30-d.conf", "40-e.conflist", "50-f.conflist.bak"}
	texts := []string{
		guarded, other, "", "{", `{"name": "a", "plugins": [{"type": "bridge"}]}`,
		`{"name": "c", "type": "bridge"}`, `{"name": "d", "plugins": [{"type": "missing"}]}`, `{"type": "ptp"}`,
	}
	files := map[string]string{}
	for range random.IntN(4) {
		files[names[random.IntN(len(names))]] = texts[random.IntN(len(texts))]
	}
	files[[]string{"05-b.conflist", "10-a.conflist", "40-e.conflist"}[random.IntN(3)]] = strings.Replace(guarded, "portmap", []string{"bridge", "missing"}[random.IntN(8)/7], 1)
	return files
}

// ownIn returns the first file of network a with the guard in it.
func ownIn(dir string) string {
	names, _ := conflist.Names(dir)
	for _, name := range names {
		l, err := conflist.Read(dir, name)
		if err == nil && l.Name == "a" && slices.ContainsFunc(l.Plugins, func(p conflist.Plugin) bool { return p.Type == conflist.GuardType }) {
			return name
		}
	}
	return ""
}

// harmed tells whether the next pod gets anything but the network of a file alone.
// What CRI-O takes is proved by its call.
func harmed(s conflist.Selection, own string) bool {
	effective := s.Effective()
	if s.Runtime.Kind == conflist.CRIO {
		return own != "" && refusedIn(s, own)
	}
	return effective == nil || effective.Network != "a" || refusedIn(s, own) ||
		slices.ContainsFunc(s.Files, func(f conflist.File) bool { return f.Verdict == conflist.Attached })
}

func refusedIn(s conflist.Selection, name string) bool {
	f := s.Find(name)
	return f == nil || f.Verdict == conflist.Invalid
}
