// SPDX-License-Identifier: Apache-2.0

package conflist_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// What is said of a folder without a file is what is true once the file is gone.
func TestWithout(t *testing.T) {
	f := folder{"05-x.conflist": "", "10-a.conflist": of("a", "bridge"), "20-b.conf": single("b", "ptp"), "x.bak": ""}
	for _, r := range []conflist.Runtime{containerd(1), containerd(0), conflist.NewRuntime(conflist.CRIO)} {
		for name := range f {
			dir := f.make(t)
			all, err := conflist.Select(dir, r)
			if err != nil {
				t.Fatal(err)
			}
			foretold := all.Without(name)
			if filepath.Ext(name) != ".bak" { // it counts for no runtime, and is told all the same
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			came, err := conflist.Select(dir, r)
			if got, want := tell(foretold, dir), tell(came, dir); err != nil || got != want || errors.Is(foretold.Err, conflist.ErrNoNetwork) != (came.Err != nil) {
				t.Errorf("without %s: foretold\n%s\ncame (%v)\n%s", name, got, err, want)
			}
		}
	}
}
