// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// binDirs makes two directories with plugins that answer VERSION, or do not.
func binDirs(t *testing.T) []string {
	t.Helper()
	first, second := t.TempDir(), t.TempDir()
	all := `"0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"`
	script(t, first, "bridge", answering(all), 0o755)
	script(t, second, "bridge", "exit 1", 0o755) // the first is taken
	script(t, second, "cni-guard", answering(all), 0o755)
	script(t, second, "old", answering(`"0.1.0","0.3.1","0.4.0"`), 0o755)
	script(t, first, "mute", "exit 1", 0o755)
	script(t, first, "garbled", "echo 'VERSION? none'", 0o755)
	script(t, first, "sealed", answering(all), 0o644)
	script(t, second, "folder", answering(all), 0o755) // the first is passed over
	if err := os.Mkdir(filepath.Join(first, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{first, filepath.Join(first, "gone"), second}
}

// answering is a plugin that knows the versions, and does nothing.
func answering(versions string) string {
	return `[ "$CNI_COMMAND" != VERSION ] || echo '{"cniVersion":"1.0.0","supportedVersions":[` + versions + `]}'`
}

func script(t *testing.T, dir, name, body string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join([]string{"#!/bin/sh", body, ""}, "\n")), mode); err != nil {
		t.Fatal(err)
	}
}
