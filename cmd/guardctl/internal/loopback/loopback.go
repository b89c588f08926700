// SPDX-License-Identifier: Apache-2.0

// Package loopback tells our loopback plugin from others without starting it: Go
// programs carry the path of their main package, stripped or not. A plugin that
// runs for every pod has no use for debug/buildinfo, and must not link it.
package loopback

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

// mainPackage is what go build writes into our plugin.
const mainPackage = "github.com/cni-guard/cni-guard/plugins/loopback"

// In looks for the loopback plugin as a runtime does, the first regular file of
// that name in the plugin folders, for checks.Conf.
func In(dirs []string) func() (checks.Loopback, error) {
	return func() (checks.Loopback, error) {
		for _, dir := range dirs {
			path := filepath.Join(dir, "loopback")
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				continue
			}
			ours, err := Ours(path)
			return checks.Loopback{Path: path, Ours: ours}, err
		}
		return checks.Loopback{}, nil
	}
}

// Ours reports whether a file is our loopback plugin. A file that is no Go program
// is not; the error says that the file cannot be read.
func Ours(path string) (bool, error) {
	info, err := buildinfo.ReadFile(path)
	var trouble *fs.PathError
	switch {
	case errors.As(err, &trouble):
		return false, fmt.Errorf("read program: %w", err)
	case err != nil:
		return false, nil // a script, or written in another language
	}
	return info.Path == mainPackage, nil
}

// OursIn is Ours of a program that was read.
func OursIn(program io.ReaderAt) bool {
	info, err := buildinfo.Read(program)
	return err == nil && info.Path == mainPackage
}
