// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLoopbackIsTriedWhereItIsCalled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "loopback")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	called := newRig(Request{BinDirs: []string{dir}})
	if got, _ := called.findLoopback(); got != path {
		t.Errorf("tries %q, want %q", got, path)
	}
	unused := newRig(Request{BinDirs: []string{dir}, NoLoopback: "CRI-O calls none"})
	if got, why := unused.findLoopback(); got != "" || why.State != Skipped || why.Saw != "CRI-O calls none" {
		t.Errorf("tries %q, result %+v, want it skipped", got, why)
	}
	missing := newRig(Request{BinDirs: []string{t.TempDir()}})
	if got, why := missing.findLoopback(); got != "" || why.State != Skipped {
		t.Errorf("tries %q, result %+v, want it skipped", got, why)
	}
}
