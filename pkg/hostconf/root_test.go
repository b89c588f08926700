// SPDX-License-Identifier: Apache-2.0

package hostconf_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// A FIFO in place of a configuration file must not make a caller wait for a writer.
func TestReadFIFO(t *testing.T) {
	root := tree(t, map[string]string{"etc/other": ""})
	if err := syscall.Mkfifo(filepath.Join(root.Dir, "etc/sysctl.conf"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := root.ReadFile("/etc/sysctl.conf")
	if err == nil || err.Error() != "read /etc/sysctl.conf: is a FIFO" {
		t.Errorf("reading a FIFO: got error %v, want one that names it", err)
	}
}
