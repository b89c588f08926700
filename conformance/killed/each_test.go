// SPDX-License-Identifier: Apache-2.0

package killed_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/conformance/killed"
)

// A command of two steps is met before the first, between the two, and after the
// second; and each step fails once for want of space.
func TestEach(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	left := map[string]bool{}
	errors := map[string]bool{}
	killed.Each(t, func(t testing.TB) *exec.Cmd {
		for _, name := range []string{"a", "b"} {
			if err := os.RemoveAll(path(name)); err != nil {
				t.Fatal(err)
			}
		}
		return exec.Command("mkdir", path("a"), path("b"))
	}, func(t testing.TB, i killed.Interruption) {
		entries, err := filepath.Glob(path("?"))
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case i.Call == "" && (i.Exit != 0 || len(entries) != 2):
			t.Errorf("it got through, but left %q", entries)
		case i.Errno == syscall.ENOSPC && i.Call != "":
			errors[strings.Join(entries, " ")] = i.Exit == 1 && strings.Contains(i.Output, "No space left on device")
		case i.Errno == 0 && i.Call != "":
			left[strings.Join(entries, " ")] = i.Exit == -1
		}
	})
	for name, got := range map[string]map[string]bool{"killed": left, "no space": errors} {
		// mkdir goes on with the second where the first failed.
		second := path("a")
		if !got[second] || len(got) != 2 {
			t.Errorf("%s: left %v", name, got)
		}
	}
}
