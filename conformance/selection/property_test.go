// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// The directories of a run; another seed makes others.
var (
	seed    = flag.Uint64("seed", 1, "the seed of the folders")
	folders = flag.Int("folders", 5000, "how many folders containerd's library loads; CRI-O's, which starts plugins, loads a fifth of them")
)

// TestContainerd holds our selection against go-cni's.
func TestContainerd(t *testing.T) {
	o, m := startOurs(t), newMaker(*seed)
	hold(t, *folders, func() property {
		maxConfNum := oneOf(m, 1, 1, 1, 0, 2, 3, -1)
		return property{m.folder(), func(dir string) error { return o.againstGoCNI(dir, maxConfNum) }}
	})
}

// TestCRIO holds our selection against ocicni's.
func TestCRIO(t *testing.T) {
	o, m, d, bins, cache := startOurs(t), newMaker(*seed), keepDiary(t), binDirs(t), t.TempDir()
	hold(t, *folders/5, func() property {
		r := request{Runtime: "crio", DefaultNetwork: oneOf(m, "", "", "a", "net"), BinDirs: bins}
		return property{m.folder(), func(dir string) error {
			r.Dir = dir
			return o.againstOCICNI(d, cache, r)
		}}
	})
}

// inMemory returns a directory on a tmpfs, where there is one: on a disk that others
// use as well, thousands of directories take a minute.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "selection-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A property is what must hold of a directory.
type property struct {
	folder folder
	holds  func(dir string) error
}

// hold tries properties until one fails, and shows the smallest directory of which
// it does.
func hold(t *testing.T, n int, next func() property) {
	t.Helper()
	base, made := inMemory(t), 0
	try := func(p property, f folder) error {
		made++
		dir := filepath.Join(base, strconv.Itoa(made), "net.d")
		if err := f.write(dir); err != nil {
			t.Fatalf("write folder: %v\n%s", err, f)
		}
		return p.holds(dir)
	}
	for i := range n {
		p := next()
		if try(p, p.folder) == nil {
			continue
		}
		small := p.folder.shrink(func(f folder) bool { return try(p, f) != nil })
		t.Fatalf("folder %d of -seed=%d: %v\n%s", i, *seed, try(p, small), small)
	}
}
