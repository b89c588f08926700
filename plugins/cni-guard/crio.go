// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// crioDefaultNetwork gives the cni_default_network of the CRI-O that called: of its
// command line, or of the last file that sets it, in the order of crio.conf(5) and
// crio.conf.d(5). "" where nothing sets it.
func crioDefaultNetwork() (string, error) {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", os.Getppid()))
	if err != nil {
		return "", fmt.Errorf("read command line of CRI-O: %w", err)
	}
	if network, set := flagOf(cmdline, "--cni-default-network"); set {
		return network, nil
	}
	return defaultNetworkIn("/etc/crio")
}

// flagOf finds a flag in what /proc/PID/cmdline gives.
func flagOf(cmdline []byte, flag string) (value string, set bool) {
	args := strings.Split(string(bytes.TrimRight(cmdline, "\x00")), "\x00")
	for i, arg := range args {
		switch name, value, ok := strings.Cut(arg, "="); {
		case name != flag:
		case ok:
			return value, true
		case i+1 < len(args):
			return args[i+1], true
		}
	}
	return "", false
}

func defaultNetworkIn(dir string) (string, error) {
	files, _ := filepath.Glob(filepath.Join(dir, "crio.conf.d", "*")) // sorted
	network := ""
	for _, path := range append([]string{filepath.Join(dir, "crio.conf")}, files...) {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read cni_default_network: %w", err)
		}
		if value, set := tomlString(string(text), "cni_default_network"); set {
			network = value
		}
	}
	return network, nil
}

// tomlString finds a string of a key that is in one table only, without a parser
// for TOML, which a plugin has no room for.
func tomlString(text, key string) (value string, set bool) {
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, "=")
		if !ok || strings.Trim(strings.TrimSpace(name), `"'`) != key {
			continue
		}
		rest = strings.TrimSpace(rest)
		if rest == "" || rest[0] != '"' && rest[0] != '\'' {
			continue
		}
		if quoted, _, closed := strings.Cut(rest[1:], rest[:1]); closed {
			value, set = quoted, true
		}
	}
	return value, set
}
