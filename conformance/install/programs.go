// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"os"
	"path/filepath"
)

// script answers VERSION, and stands for a plugin where only that is asked.
const script = "#!/bin/sh\necho '{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}'\n"

// StandIns puts programs into a directory that are named as ours and do no more than
// to answer VERSION, but for the loopback plugin, which is told by what it was
// built of. They are smaller, and thus faster to install; mark tells versions.
func StandIns(guard, to, mark string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("make stand-ins: %w", err)
	}
	for _, name := range []string{"cni-guard", "guardctl"} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(script+"# "+mark+"\n"), 0o755); err != nil {
			return fmt.Errorf("make stand-ins: %w", err)
		}
	}
	return copyProgram(filepath.Join(guard, "loopback"), filepath.Join(to, "loopback"), mark)
}

// CopyPrograms copies our programs with more bytes at their ends: another version
// that does the same.
func CopyPrograms(guard, to, mark string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return fmt.Errorf("copy programs: %w", err)
	}
	for _, name := range []string{"cni-guard", "guardctl", "loopback"} {
		if err := copyProgram(filepath.Join(guard, name), filepath.Join(to, name), mark); err != nil {
			return err
		}
	}
	return nil
}

func copyProgram(from, to, mark string) error {
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, append(content, mark...), 0o755)
	}
	if err != nil {
		return fmt.Errorf("copy program: %w", err)
	}
	return nil
}
