// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// program adds a program of the machine, where the machine has it, with the
// libraries that the dynamic linker says it loads.
func (t tree) program(ctx context.Context, name string) error {
	found, err := exec.LookPath(name)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return fmt.Errorf("find program: %w", err)
	}
	if err := t.add(File{Path: found, From: found}); err != nil {
		return err
	}
	libraries, err := libraries(ctx, found)
	if err != nil {
		return err
	}
	for _, library := range libraries {
		if err := t.add(File{Path: library, From: library}); err != nil {
			return err
		}
	}
	return t.plugins(ctx, name)
}

// libraries reads ldd's lines "libc.so.6 => /lib/libc.so.6 (0x…)" and
// "/lib64/ld-linux.so.2 (0x…)". A static program has none.
func libraries(ctx context.Context, program string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).CombinedOutput()
	if strings.Contains(string(out), "not a dynamic executable") || strings.Contains(string(out), "statically linked") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list libraries of %s: %w: %s", program, err, out)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "not found") {
			return nil, fmt.Errorf("list libraries of %s: %s", program, strings.TrimSpace(line))
		}
		for field := range strings.FieldsSeq(line) {
			if filepath.IsAbs(field) {
				found = append(found, field)
			}
		}
	}
	return found, nil
}

// plugins adds what a program loads by name while it runs: iptables has each
// of its matches and targets in a library, all in one folder.
func (t tree) plugins(ctx context.Context, program string) error {
	if !strings.HasPrefix(program, "iptables") && !strings.HasPrefix(program, "ip6tables") {
		return nil
	}
	folders, err := filepath.Glob("/usr/lib/*/xtables")
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := t.add(File{Path: folder, From: folder}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
