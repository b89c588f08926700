// SPDX-License-Identifier: Apache-2.0

package runtimeconf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Process is how a runtime was started. The zero Process has no arguments and an
// empty environment.
type Process struct {
	PID  int
	Args []string // with the name of the program first
	Env  []string // "NAME=value"
	// EnvErr says why the environment is not known: only root may read that of
	// another user's process.
	EnvErr error

	dir string // the link to the working directory
}

// ReadProcess reads a process from proc, which is "/proc" but in tests and in
// containers. The error wraps fs.ErrNotExist if the process has ended.
func ReadProcess(proc string, pid int) (Process, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	p := Process{PID: pid, dir: filepath.Join(dir, "cwd")}
	cmdline, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return p, fmt.Errorf("read command line of process %d: %w", pid, err)
	}
	p.Args = words(cmdline)
	environ, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		p.EnvErr = fmt.Errorf("read environment of process %d: %w", pid, err)
	}
	p.Env = words(environ)
	return p, nil
}

// words splits what the kernel separates by NUL.
func words(text []byte) []string {
	s := strings.TrimSuffix(string(text), "\x00")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\x00")
}

// Flag returns the values that the command line gives a flag under any of its
// names, in order; nil if it does not. Names have no dashes. As in Go's package
// flag, one dash is as good as two.
func (p Process) Flag(names ...string) (values []string) {
	for i, arg := range p.Args {
		if i == 0 {
			continue
		}
		if arg == "--" {
			break
		}
		name, value, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		switch {
		case !strings.HasPrefix(arg, "-") || !contains(names, name):
		case joined:
			values = append(values, value)
		case i+1 < len(p.Args):
			values = append(values, p.Args[i+1])
		}
	}
	return values
}

// contains is slices.Contains, which the plugin would link for this alone.
func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// Getenv returns a variable of the environment. As in Go's package os, the first
// of several counts, and an empty one is set.
func (p Process) Getenv(name string) (value string, set bool, err error) {
	if p.EnvErr != nil {
		return "", false, p.EnvErr
	}
	for _, variable := range p.Env {
		if key, value, ok := strings.Cut(variable, "="); ok && key == name {
			return value, true, nil
		}
	}
	return "", false, nil
}

// Path returns a path as the process understands it, which matters for relative
// ones.
func (p Process) Path(path string) (string, error) {
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	if p.dir == "" {
		return "", errors.New("find " + path + ": the working directory of the runtime is not known")
	}
	dir, err := os.Readlink(p.dir)
	if err != nil {
		return "", fmt.Errorf("find %s: read working directory of the runtime: %w", path, err)
	}
	return filepath.Join(dir, path), nil
}

// gone reports whether an error means that a file is not there.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
