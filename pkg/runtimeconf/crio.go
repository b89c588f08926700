// SPDX-License-Identifier: Apache-2.0

package runtimeconf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CRIO is a running CRI-O or, with the zero Process, one of which only the files are
// known. Its command line overrides its environment, which overrides its files (CRI-O
// 1.36, internal/criocli, mergeConfig).
type CRIO struct {
	Process
	Root string // prepended to the paths of files; "" for this process's own root directory
}

// A Source says where a setting comes from, for messages.
type Source string

// The sources that override the files.
const (
	CommandLine Source = "the command line of CRI-O"
	Environment Source = "the environment of CRI-O"
)

// Override returns the values of a flag from the command line or the environment of
// CRI-O. The Source is "" if neither sets it. Override returns an error if the command
// line does not set the flag and the environment cannot be read.
func (c CRIO) Override(flag string) ([]string, Source, error) {
	if values := c.Flag(flag); values != nil {
		return values, CommandLine, nil
	}
	value, set, err := c.Getenv("CONTAINER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_")))
	if !set {
		return nil, "", err
	}
	return []string{value}, Environment, nil
}

// DefaultNetwork returns the cni_default_network of CRI-O, or "" if nothing sets it; CRI-O
// then selects the first network of its directory. It reads the files only if neither the
// command line nor the environment sets it, and no more of them than it needs.
func (c CRIO) DefaultNetwork() (string, error) {
	values, source, err := c.Override("cni-default-network")
	if err != nil || source != "" {
		return last(values), err
	}
	files, err := c.Files()
	if err != nil {
		return "", err
	}
	for i := len(files) - 1; i >= 0; i-- {
		text, err := os.ReadFile(filepath.Join(c.Root, files[i]))
		if isMissing(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read cni_default_network: %w", err)
		}
		value, set, err := ScanNetworkString(string(text), "cni_default_network")
		if err != nil {
			return "", fmt.Errorf("read cni_default_network: %s: %w", files[i], err)
		}
		if set {
			return value, nil
		}
	}
	return "", nil
}

// Files returns the paths of the configuration files, without Root, each overriding those
// before it: the main file, which need not exist, and then all files below the drop-in
// directory, at any depth.
func (c CRIO) Files() ([]string, error) {
	main, err := c.path("config", "c", "/etc/crio/crio.conf")
	if err != nil {
		return nil, err
	}
	dropIns, err := c.path("config-dir", "d", "/etc/crio/crio.conf.d")
	if err != nil {
		return nil, err
	}
	var files []string
	if main != "" {
		files = append(files, main)
	}
	if dropIns == "" {
		return files, nil
	}
	root := filepath.Join(c.Root, dropIns)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path == root && isMissing(err):
			return nil
		case err != nil:
			return err
		case !entry.IsDir():
			files = append(files, dropIns+strings.TrimPrefix(path, root))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read drop-ins of CRI-O: %w", err)
	}
	return files, nil
}

// path returns the path that a flag with two names sets, else the environment, else the
// default.
func (c CRIO) path(flag, short, standard string) (string, error) {
	if values := c.Flag(flag, short); values != nil {
		return c.Path(last(values))
	}
	values, source, err := c.Override(flag)
	if err != nil || source == "" {
		return standard, err
	}
	return c.Path(last(values))
}

// last returns the last value of a flag, which overrides the others, or "".
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
