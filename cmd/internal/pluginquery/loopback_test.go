// SPDX-License-Identifier: Apache-2.0

package pluginquery_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
	"github.com/cni-guard/cni-guard/pkg/checktest"
)

// build builds a program of this module as a release does, without symbols.
func build(t *testing.T, dir, program string) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		checktest.Lacking(t, "no go command to build with")
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "loopback"), "github.com/cni-guard/cni-guard/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", program, err, out)
	}
}

func TestFindLoopback(t *testing.T) {
	ours, others, script, empty := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	build(t, ours, "plugins/loopback")
	build(t, others, "plugins/cni-guard") // a Go program of another name
	if err := os.WriteFile(filepath.Join(script, "loopback"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(empty, "loopback"), 0o700); err != nil { // not a regular file
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dirs []string
		path string
		ours bool
	}{
		"ours":   {[]string{empty, ours, others}, filepath.Join(ours, "loopback"), true},
		"others": {[]string{others, ours}, filepath.Join(others, "loopback"), false},
		"script": {[]string{script}, filepath.Join(script, "loopback"), false},
		"none":   {[]string{empty}, "", false},
	} {
		got, err := pluginquery.FindLoopback(c.dirs)
		if err != nil || got.Path != c.path || got.Ours != c.ours {
			t.Errorf("%s: %+v, error %v", name, got, err)
		}
	}
	if _, err := pluginquery.IsGuardLoopback(filepath.Join(empty, "missing")); err == nil {
		t.Error("a missing file is not an error")
	}
}
