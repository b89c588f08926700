// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Sysctls returns the network sysctls of the namespace, a line each. Those that
// count what goes on are left out, and those that cannot be read.
func Sysctls(path string) (string, error) {
	var lines []string
	err := Within(path, func() error {
		return filepath.WalkDir("/proc/sys/net", func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || counts(file) {
				return err
			}
			value, err := os.ReadFile(file)
			if err != nil {
				return nil // write-only, or without a value: stable_secret
			}
			lines = append(lines, fmt.Sprintf("%s = %s", strings.TrimPrefix(file, "/proc/sys/"), strings.TrimSpace(string(value))))
			return nil
		})
	})
	if err != nil {
		return "", fmt.Errorf("read sysctls of %s: %w", path, err)
	}
	return strings.Join(lines, "\n"), nil
}

func counts(file string) bool {
	return filepath.Base(file) == "nf_conntrack_count"
}
