// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// validate is libcni's ValidateNetworkList: each plugin is there and knows the
// list's version, drop-ins' as well.
func (r Runtime) validate(l List) error {
	if len(r.BinDirs) == 0 {
		return nil
	}
	v := l.CNIVersion
	if v == "" {
		v = "0.1.0"
	}
	for _, p := range l.Plugins {
		binary, err := findBinary(p.Type, r.BinDirs)
		if err != nil {
			return err
		}
		if r.Supports == nil {
			continue
		}
		if err := r.Supports(binary, v); err != nil {
			return fmt.Errorf("plugin %s: %w", binary, err)
		}
	}
	return nil
}

// findBinary is libcni's FindInPath: the first regular file of that name. Whether
// it can be executed is seen when it is.
func findBinary(plugin string, dirs []string) (string, error) {
	if strings.ContainsRune(plugin, os.PathSeparator) {
		return "", fmt.Errorf("plugin type %q is a path, and must be a name", plugin)
	}
	for _, dir := range dirs {
		binary := filepath.Join(dir, plugin)
		if info, err := os.Stat(binary); err == nil && info.Mode().IsRegular() {
			return binary, nil
		}
	}
	return "", fmt.Errorf("plugin %q is not in %s", plugin, strings.Join(dirs, ", "))
}
