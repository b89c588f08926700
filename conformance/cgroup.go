// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// removeCgroups removes the control group of that name with all below it, from
// every hierarchy. A process that has just ended keeps its group busy for a moment.
func removeCgroups(root, name string) error {
	var groups []string
	for _, pattern := range []string{filepath.Join(root, name), filepath.Join(root, "*", name)} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, top := range found {
			err := filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
				if err == nil && e.IsDir() {
					groups = append(groups, path)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("find control groups: %w", err)
			}
		}
	}
	slices.Reverse(groups) // the inner ones first
	deadline := time.Now().Add(10 * time.Second)
	for _, group := range groups {
		if err := removeGroup(group, deadline); err != nil {
			return err
		}
	}
	return nil
}

func removeGroup(group string, deadline time.Time) error {
	for {
		err := syscall.Rmdir(group)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			left, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
			return fmt.Errorf("remove control group %s: %w (processes: %q)", group, err, left)
		}
		time.Sleep(10 * time.Millisecond) // the kernel does not tell
	}
}
