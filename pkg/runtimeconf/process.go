// SPDX-License-Identifier: Apache-2.0

// Package runtimeconf reads how a container runtime was started: its command line, its
// environment, and the configuration files of CRI-O. The plugin uses it for the CRI-O that
// called it, and guardctl for the runtime behind a socket, so both follow the same rules.
//
// It has no parser for TOML, which would be too large for the plugin that starts for every
// pod. [ScanNetworkString] finds a single key and returns an error for what it cannot
// parse.
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

// A Process is the command line and the environment of a runtime. The zero Process has no
// arguments and an empty environment.
type Process struct {
	PID  int
	Args []string // with the name of the program first
	Env  []string // "NAME=value"
	// EnvErr is why the environment is unknown: only root can read the environment of
	// another user's process.
	EnvErr error

	dir string // the symbolic link to the working directory
}

// ReadProcess reads a process from the directory proc, which is "/proc" except in tests
// and in containers. The error wraps fs.ErrNotExist if the process has ended.
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

// words splits a list of strings that the kernel separates by NUL.
func words(text []byte) []string {
	s := strings.TrimSuffix(string(text), "\x00")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\x00")
}

// Flag returns the values of a flag on the command line, under any of its names, in order,
// or nil if the flag is not set. Names have no dashes. As in Go's package flag, one dash
// is the same as two.
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

// contains is slices.Contains, which the plugin would otherwise link only for this.
func contains(list []string, s string) bool {
	for _, item := range list {
		if item == s {
			return true
		}
	}
	return false
}

// Getenv returns a variable of the environment. As in Go's package os, the first of
// several is returned, and an empty variable is set.
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

// Path resolves a path relative to the working directory of the process.
func (p Process) Path(path string) (string, error) {
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	if p.dir == "" {
		return "", errors.New("find " + path + ": the working directory of the runtime is unknown")
	}
	dir, err := os.Readlink(p.dir)
	if err != nil {
		return "", fmt.Errorf("find %s: read working directory of the runtime: %w", path, err)
	}
	return filepath.Join(dir, path), nil
}

// isMissing reports whether an error means that a file does not exist.
func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
