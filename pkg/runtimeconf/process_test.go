// SPDX-License-Identifier: Apache-2.0

package runtimeconf_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cni-guard/cni-guard/pkg/runtimeconf"
)

// plant writes a process to a directory that stands for /proc. Words are separated by
// spaces. An environment of "-" cannot be read.
func plant(t *testing.T, args, env string) (proc string) {
	t.Helper()
	proc = t.TempDir()
	write(t, filepath.Join(proc, "7/cmdline"), strings.ReplaceAll(args, " ", "\x00")+"\x00")
	if env != "-" {
		write(t, filepath.Join(proc, "7/environ"), strings.ReplaceAll(env, " ", "\x00")+"\x00")
	}
	if err := os.Symlink("/work", filepath.Join(proc, "7/cwd")); err != nil {
		t.Fatal(err)
	}
	return proc
}

func write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, args, env string) runtimeconf.Process {
	t.Helper()
	p, err := runtimeconf.ReadProcess(plant(t, args, env), 7)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFlag(t *testing.T) {
	for args, want := range map[string]string{
		"crio":                       "unset",
		"crio --network=a -v":        "a",
		"crio -network=a":            "a",
		"crio --network a -v":        "a",
		"crio --network":             "unset",
		"crio --network=":            "",
		"crio --networks=a":          "unset",
		"crio -n a --network=b":      "a b",
		"crio -- --network=a":        "unset",
		"crio network=a":             "unset",
		"--network=a":                "unset", // the name of the program
		"crio -c /etc/x --network=a": "a",
		"crio --network=a=b":         "a=b",
		"crio ---network=a":          "unset",
	} {
		values := read(t, args, "").Flag("network", "n")
		got := strings.Join(values, " ")
		if values == nil {
			got = "unset"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}

func TestReadProcess(t *testing.T) {
	p := read(t, "crio -v", "A=1 A=2 EMPTY= junk")
	if !slices.Equal(p.Args, []string{"crio", "-v"}) || p.PID != 7 {
		t.Errorf("got %+v", p)
	}
	for name, want := range map[string]string{"A": "1", "EMPTY": "", "B": "unset", "junk": "unset"} {
		got, set, err := p.Getenv(name)
		if !set {
			got = "unset"
		}
		if got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for path, want := range map[string]string{"x/y": "/work/x/y", "/x": "/x", "": ""} {
		if got, err := p.Path(path); got != want || err != nil {
			t.Errorf("%q: got %q, %v", path, got, err)
		}
	}
	if _, _, err := read(t, "crio", "-").Getenv("A"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an environment that cannot be read: %v", err)
	}
	if _, err := runtimeconf.ReadProcess(t.TempDir(), 8); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that ended: %v", err)
	}
	if got, err := (runtimeconf.Process{}).Path("x"); err == nil {
		t.Errorf("a relative path of nobody: %q", got)
	}
}
