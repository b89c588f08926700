// SPDX-License-Identifier: Apache-2.0

package vm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/vm"
)

// apt-get that has no such package, in the place of the real one.
const withoutPackage = `#!/bin/sh
case "$*" in *update*) exit 0 ;; esac
echo "E: Unable to locate package" >&2
exit 100
`

func TestMissingKernel(t *testing.T) {
	for name, c := range map[string]struct {
		version, script, want string
	}{
		"not a kernel of Debian": {"4.4", withoutPackage, "get kernel 4.4: Debian has 5.10, 6.1, 6.12"},
		"no package":             {"6.1", withoutPackage, "get kernel 6.1 of Debian bookworm: run apt-cache depends: exit status 100: E: Unable to locate package"},
		"no mirror":              {"6.1", "#!/bin/sh\necho 'E: no route' >&2; exit 100\n", "get kernel 6.1 of Debian bookworm: run apt-get update: exit status 100: E: no route"},
	} {
		t.Run(name, func(t *testing.T) {
			bin, cache := t.TempDir(), filepath.Join(t.TempDir(), "kernels")
			for _, program := range []string{"apt-get", "apt-cache"} {
				if err := os.WriteFile(filepath.Join(bin, program), []byte(c.script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", bin)
			_, err := vm.Debian(t.Context(), c.version, cache)
			if err == nil || err.Error() != c.want {
				t.Errorf("err = %v, want %s", err, c.want)
			}
			if left, _ := os.ReadDir(cache); len(left) != 0 {
				t.Errorf("it leaves %v behind", left)
			}
		})
	}
}

func TestMissingQemu(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{"boot/vmlinuz-6.1": "kernel", "lib/modules/6.1/modules.builtin": "kernel/net/ipv4/ipip.ko\n", "init": "init"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	k, err := vm.KernelIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err = vm.Run(t.Context(), vm.Machine{Kernel: k, Init: filepath.Join(dir, "init"), Modules: []string{"ipip"}, Command: []string{"/x"}})
	if err == nil || !strings.Contains(err.Error(), "start qemu-system-x86_64 (Debian package qemu-system-x86)") {
		t.Errorf("err = %v", err)
	}
}

// A directory without a kernel in it, such as a copy that was not whole: the error names
// the directory, and that removing it is the way out. What is there stays as it is.
func TestBrokenCache(t *testing.T) {
	cache := t.TempDir()
	dir := filepath.Join(cache, "6.1")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := vm.Debian(t.Context(), "6.1", cache)
	if err == nil {
		t.Fatal("it finds a kernel in an empty directory")
	}
	for _, want := range []string{dir, "holds 0 files boot/vmlinuz-*", "remove the "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want it to have %q", err, want)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
