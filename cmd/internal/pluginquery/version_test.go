// SPDX-License-Identifier: Apache-2.0

package pluginquery_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cni-guard/cni-guard/cmd/internal/pluginquery"
)

// script writes a plugin that is a shell script, and returns its path.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVersions(t *testing.T) {
	path := script(t, `[ "$CNI_COMMAND" = VERSION ] && grep -q cniVersion && echo '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.1.0"]}'`)
	got, err := pluginquery.Versions(t.Context(), path)
	if err != nil || !slices.Equal(got, []string{"0.4.0", "1.1.0"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// A plugin from before VERSION supports 0.1.0.
func TestVersionsBeforeVERSION(t *testing.T) {
	path := script(t, `echo '{"code":4,"msg":"unknown CNI_COMMAND: VERSION"}'; exit 1`)
	if got, err := pluginquery.Versions(t.Context(), path); err != nil || !slices.Equal(got, []string{"0.1.0"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestVersionsError(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"fails":             {"echo no license >&2; exit 3", `exit status 3: "no license\n"`},
		"fails as CNI does": {`echo '{"code":7}'; exit 1`, `exit status 1: "{\"code\":7}\n"`},
		"answers nonsense":  {"echo usage:", `it answers "usage:\n"`},
		"says nothing":      {"exit 0", `it answers ""`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pluginquery.Versions(t.Context(), script(t, c.body))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want %s", got, err, c.want)
			}
		})
	}
	if _, err := pluginquery.Versions(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing plugin: %v", err)
	}
}

// A process without descriptors cannot run a plugin, which says nothing about the plugin.
func TestShortage(t *testing.T) {
	plugin := script(t, "exit 3")
	_, own := pluginquery.Versions(t.Context(), plugin)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 3, Max: limit.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	_, short := pluginquery.Versions(t.Context(), plugin)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if own == nil || pluginquery.IsShortage(own) || short == nil || !pluginquery.IsShortage(short) {
		t.Errorf("a plugin that fails: %v; without descriptors: %v", own, short)
	}
}

// A plugin that hangs, and whose child keeps the output open, is abandoned when ctx ends.
func TestVersionsTimeout(t *testing.T) {
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
	if _, err := pluginquery.Versions(ctx, path); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A process that the plugin leaves behind, with the output still open, does not spoil
// its answer.
func TestVersionsChildProcess(t *testing.T) {
	got, err := pluginquery.Versions(t.Context(), script(t, `echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; sleep 20 & exit 0`))
	if err != nil || !slices.Equal(got, []string{"1.0.0"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

const supports = `echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'`

func TestSupportsFunc(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		mode    os.FileMode
		version string
		want    string // a part of the error
	}{
		"supported":     {supports, 0o755, "1.0.0", ""},
		"not supported": {supports, 0o755, "0.3.1", "it does not support cniVersion 0.3.1, only 0.4.0, 1.0.0"},
		"another verb":  {`[ "$CNI_COMMAND" = VERSION ] && ` + supports, 0o755, "0.4.0", ""},
		"fails":         {"exit 1", 0o755, "1.0.0", "it does not answer VERSION"},
		"prints junk":   {"echo hello", 0o755, "1.0.0", "it does not answer VERSION"},
		"not a program": {supports, 0o644, "1.0.0", "permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			plugin := filepath.Join(t.TempDir(), "plugin")
			if err := os.WriteFile(plugin, []byte("#!/bin/sh\n"+c.body+"\n"), c.mode); err != nil {
				t.Fatal(err)
			}
			err := new(pluginquery.Cache).SupportsFunc(time.Minute)(plugin, c.version)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A plugin that does not answer in time proves nothing: CRI-O waits longer, and the node
// may be busy.
func TestSupportsFuncTimeout(t *testing.T) {
	if err := new(pluginquery.Cache).SupportsFunc(10*time.Millisecond)(script(t, "exec sleep 60"), "1.0.0"); err != nil {
		t.Errorf("the plugin is said to be refused: %v", err)
	}
}

// A plugin is run once for as long as its file is the same, and one that fails once for each
// function. Many goroutines may ask at once.
func TestCache(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	plugin := script(t, "echo run >>"+runs+"; "+supports)
	cache := new(pluginquery.Cache)
	ran := func() int {
		text, err := os.ReadFile(runs)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Count(string(text), "run")
	}
	for range 3 {
		ask := cache.SupportsFunc(time.Minute)
		for _, version := range []string{"1.0.0", "0.4.0"} {
			if err := ask(plugin, version); err != nil {
				t.Error(err)
			}
		}
	}
	if n := ran(); n != 1 {
		t.Errorf("the plugin ran %d times", n)
	}

	newer := script(t, "echo run >>"+runs+`; echo '{"cniVersion":"1.1.0","supportedVersions":["1.1.0"]}'`)
	if err := os.Rename(newer, plugin); err != nil {
		t.Fatal(err)
	}
	ask := cache.SupportsFunc(time.Minute)
	if err := ask(plugin, "1.0.0"); err == nil || ran() != 2 {
		t.Errorf("a plugin that was replaced: %v, after %d runs", err, ran())
	}

	broken := script(t, "echo run >>"+runs+"; exit 1")
	for range 2 {
		if err := ask(broken, "1.0.0"); err == nil {
			t.Error("a plugin that fails supports a version")
		}
	}
	if n := ran(); n != 3 {
		t.Errorf("a plugin that fails ran %d times", n-2)
	}

	var asking sync.WaitGroup
	for range 16 {
		asking.Go(func() {
			for range 200 {
				_ = ask(broken, "1.0.0")
				if err := ask(plugin, "1.1.0"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	asking.Wait()
	if err := os.Remove(plugin); err != nil {
		t.Fatal(err)
	}
	if err := ask(plugin, "1.1.0"); err == nil {
		t.Error("a plugin that is gone supports a version")
	}
}
