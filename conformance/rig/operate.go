// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Operate has the guardctl of a release change what is installed: install,
// upgrade or uninstall. The flags say of this node what is not as elsewhere.
func (s *Rig) Operate(ctx context.Context, release, verb string, args ...string) (Answer, error) {
	args = append([]string{verb,
		"--runtime", s.Product(), "--conf-dir", s.selector().ConfDir(), "--bin-dir", s.site.Bin,
		"--record-dir", filepath.Join(s.site.Disk, "record"),
	}, args...)
	return run(ctx, filepath.Join(release, "guardctl"), args...)
}

// Programs is the directory of the release that is tested.
func (s *Rig) Programs() string { return s.folders.Guard }

// NextRelease makes another directory of the programs, each of which differs from
// the present ones by a byte at its end that it never looks at.
func (s *Rig) NextRelease() (string, error) {
	dir := filepath.Join(s.site.Disk, "next-release")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make next release: %w", err)
	}
	for _, program := range []string{"cni-guard", "guardctl", "loopback"} {
		data, err := os.ReadFile(filepath.Join(s.folders.Guard, program))
		if err != nil {
			return "", fmt.Errorf("make next release: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, program), append(data, 0), 0o755); err != nil {
			return "", fmt.Errorf("make next release: %w", err)
		}
	}
	return dir, nil
}
