// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/cri-o/ocicni/pkg/ocicni"
)

// A comparison that nothing can fail is none. Each of these compares what we say
// of one runtime with what another loads, and must find a directory that tells them
// apart.
func TestComparisonsCanFail(t *testing.T) {
	o, d, bins, cache := startOurs(t), keepDiary(t), binDirs(t), t.TempDir()
	ask := func(t *testing.T, r request) selection {
		s, err := o.ask(r)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, differs := range map[string]func(t *testing.T, dir string) bool{
		"another max_conf_num": func(t *testing.T, dir string) bool {
			networks, err := loadGoCNI(dir, 2)
			return compareGoCNI(ask(t, request{Dir: dir, Runtime: "containerd", MaxConfNum: 1}), dir, networks, err) != nil
		},
		"cri-o for containerd": func(t *testing.T, dir string) bool {
			networks, err := loadGoCNI(dir, 1)
			return compareGoCNI(ask(t, request{Dir: dir, Runtime: "crio", BinDirs: bins}), dir, networks, err) != nil
		},
		"another cni_default_network": func(t *testing.T, dir string) bool {
			real, err := ocicni.InitCNINoInotify("a", dir, cache, bins...)
			if err != nil {
				t.Fatal(err)
			}
			return compareDefault(ask(t, request{Dir: dir, Runtime: "crio", BinDirs: bins}), real) != nil
		},
		"nobody asks for plugins": func(t *testing.T, dir string) bool {
			d.take()
			if _, err := ocicni.InitCNINoInotify("", dir, cache, bins...); err != nil {
				t.Fatal(err)
			}
			return !slices.Equal(d.take(), linesOf(dir, ask(t, request{Dir: dir, Runtime: "crio"})))
		},
	} {
		t.Run(name, func(t *testing.T) {
			base, m := inMemory(t), newMaker(*seed)
			for i := range 300 {
				f, dir := m.folder(), filepath.Join(base, strconv.Itoa(i), "net.d")
				if err := f.write(dir); err != nil {
					t.Fatal(err)
				}
				if differs(t, dir) {
					return
				}
			}
			t.Error("300 folders, and none of them tells the two apart")
		})
	}
}

// TestFoldersAreOfUse wants directories that select something and directories that do
// not, and every verdict.
func TestFoldersAreOfUse(t *testing.T) {
	o, m, base := startOurs(t), newMaker(*seed), inMemory(t)
	seen := map[string]int{}
	for i := range 300 {
		dir := filepath.Join(base, strconv.Itoa(i), "net.d")
		if err := m.folder().write(dir); err != nil {
			t.Fatal(err)
		}
		s, err := o.ask(request{Dir: dir, Runtime: "containerd", MaxConfNum: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Files {
			seen[f.Verdict]++
		}
		seen["disabled: "+strconv.FormatBool(s.Disabled != "")]++
	}
	for what, atLeast := range map[string]int{"selected": 100, "attached": 40, "shadowed": 100, "invalid": 40, "not loadable": 100, "disabled: true": 40} {
		if seen[what] < atLeast {
			t.Errorf("%s: seen %d times in 300 folders, and should be %d times at least", what, seen[what], atLeast)
		}
	}
}
