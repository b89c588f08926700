// SPDX-License-Identifier: Apache-2.0

package pluginquery

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/checks"
)

// guardLoopback is the path of the main package of cni-guard's loopback plugin. Every Go
// program carries its own, stripped or not, so the plugin need not be run. Plugins that
// run for every pod must not link debug/buildinfo.
const guardLoopback = "github.com/cni-guard/cni-guard/plugins/loopback"

// FindLoopback finds the loopback plugin as a runtime does: the first regular file of
// that name in the plugin directories. The Path is "" if there is none.
func FindLoopback(dirs []string) (checks.Loopback, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, "loopback")
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			continue
		}
		ours, err := IsGuardLoopback(path)
		return checks.Loopback{Path: path, Ours: ours}, err
	}
	return checks.Loopback{}, nil
}

// IsGuardLoopback reports whether a file is cni-guard's loopback plugin. A file that is
// not a Go program is not. The error says that the file cannot be read.
func IsGuardLoopback(path string) (bool, error) {
	info, err := buildinfo.ReadFile(path)
	var unreadable *fs.PathError
	switch {
	case errors.As(err, &unreadable):
		return false, fmt.Errorf("read program: %w", err)
	case err != nil:
		return false, nil // a script, or written in another language
	}
	return info.Path == guardLoopback, nil
}

// IsGuardLoopbackProgram is IsGuardLoopback for the content of a file.
func IsGuardLoopbackProgram(program io.ReaderAt) bool {
	info, err := buildinfo.Read(program)
	return err == nil && info.Path == guardLoopback
}
