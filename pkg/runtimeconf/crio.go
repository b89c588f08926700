// SPDX-License-Identifier: Apache-2.0

package runtimeconf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CRIO is a CRI-O that runs or, with the zero Process, one of which only the files
// are known. Its command line overrides its environment, which overrides its files
// (CRI-O 1.36, internal/criocli, mergeConfig).
type CRIO struct {
	Process
	Root string // in front of the paths of files; "" for the node that we run on
}

// A Source says where a setting comes from, for people.
type Source string

// The sources that override the files.
const (
	CommandLine Source = "the command line of CRI-O"
	Environment Source = "the environment of CRI-O"
)

// Override returns what the command line or the environment of CRI-O says of a flag.
// The Source is "" if neither does. The error says that the flag is not set, and
// that the environment cannot be read.
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

// DefaultNetwork returns the cni_default_network of CRI-O; "" if nothing sets it, in
// which case CRI-O takes the first network of its directory. It reads the files only
// where neither flag nor environment sets it, and of those no more than it needs.
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
		if gone(err) {
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

// Files returns the paths of the configuration files, without the root, in the
// order in which a later one overrides: the main file, which need not exist, and
// then all files below the directory of drop-ins, at whatever depth.
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
		case err != nil && path == root && gone(err):
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

// path returns the path that a flag of two names has, or its environment, or the
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

// last returns the value that counts of a flag that takes one; "" for none.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
