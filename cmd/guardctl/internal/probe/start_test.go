// SPDX-License-Identifier: Apache-2.0

package probe_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cni-guard/cni-guard/cmd/guardctl/internal/probe"
)

// script makes a plugin of a shell script.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVersion(t *testing.T) {
	path := script(t, `[ "$CNI_COMMAND" = VERSION ] && grep -q cniVersion && echo '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.1.0"]}'`)
	got, err := probe.Version(t.Context(), path)
	if err != nil || !slices.Equal(got, []string{"0.4.0", "1.1.0"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// Before there was VERSION, plugins said so, and knew 0.1.0.
func TestOldest(t *testing.T) {
	path := script(t, `echo '{"code":4,"msg":"unknown CNI_COMMAND: VERSION"}'; exit 1`)
	if got, err := probe.Version(t.Context(), path); err != nil || !slices.Equal(got, []string{"0.1.0"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestNoVersion(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"fails":             {"echo no license >&2; exit 3", `exit status 3: "no license\n"`},
		"fails as CNI does": {`echo '{"code":7}'; exit 1`, `exit status 1: "{\"code\":7}\n"`},
		"answers nonsense":  {"echo usage:", `it answers "usage:\n"`},
		"says nothing":      {"exit 0", `it answers ""`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := probe.Version(t.Context(), script(t, c.body))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := probe.Version(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a plugin that is not there: %v", err)
	}
}

// One that hangs, and whose child keeps the output open, is given up when the
// caller's time is up.
func TestVersionHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	path := script(t, "sleep 60 & echo runs >"+pipe+"; wait")
	go func() {
		_, _ = os.ReadFile(pipe) // it runs
		cancel()
	}()
	if _, err := probe.Version(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A plugin that has answered and ended is not judged by a process that it left behind,
// which has its output still open.
func TestLeavesAProcess(t *testing.T) {
	got, err := probe.Version(t.Context(), script(t, `echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; sleep 20 & exit 0`))
	if err != nil || !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("got %q, %v", got, err)
	}
}
