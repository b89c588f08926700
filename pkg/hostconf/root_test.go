// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/hostconf"
)

// tree writes files below a new root. Text "-> TARGET" makes a symbolic link.
func tree(t testing.TB, files map[string]string) hostconf.Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, []byte(text), 0o644)
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			_ = os.Remove(path)
			err = os.Symlink(to, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return hostconf.Root{Dir: root}
}
