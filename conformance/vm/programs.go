// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// programs adds programs of the machine, where the machine has them, with the
// libraries that the dynamic linker says they load.
func (t tree) programs(ctx context.Context, names []string) error {
	var paths []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil {
			return fmt.Errorf("find program: %w", err)
		}
		paths = append(paths, path)
	}
	libraries, err := libraries(ctx, paths)
	if err != nil {
		return err
	}
	for _, path := range slices.Concat(paths, libraries, plugins(paths)) {
		if err := t.add(File{Path: path, From: path}); err != nil {
			return err
		}
	}
	return nil
}

// libraries reads ldd's lines "libc.so.6 => /lib/libc.so.6 (0x…)" and
// "/lib64/ld-linux.so.2 (0x…)". It fails for a program that has none, as it is
// static, and goes on with the next.
func libraries(ctx context.Context, programs []string) ([]string, error) {
	if len(programs) == 0 {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, "ldd", programs...).CombinedOutput()
	var found []string
	for line := range strings.Lines(string(out)) {
		switch {
		case strings.Contains(line, "not a dynamic executable"), strings.Contains(line, "statically linked"):
			err = nil
		case strings.Contains(line, "not found"), strings.Contains(line, "No such file"):
			return nil, fmt.Errorf("list libraries: ldd: %s", strings.TrimSpace(line))
		case strings.HasPrefix(line, "\t"):
			for field := range strings.FieldsSeq(line) {
				if filepath.IsAbs(field) {
					found = append(found, field)
				}
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list libraries: run ldd: %w: %s", err, out)
	}
	return found, nil
}

// plugins returns the directories of what programs load by name while they run:
// iptables has each of its matches and targets in a library, all in one directory.
func plugins(programs []string) []string {
	if !slices.ContainsFunc(programs, func(path string) bool { return strings.Contains(filepath.Base(path), "tables") }) {
		return nil
	}
	folders, err := filepath.Glob("/usr/lib/*/xtables")
	if err != nil {
		return nil // of a malformed pattern, which this is not
	}
	return folders
}
