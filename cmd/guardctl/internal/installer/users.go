// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
	"github.com/cni-guard/cni-guard/pkg/release"
)

// names reports whether a file names the guard as a plugin, or looks like it.
func names(path string) bool {
	content, err := os.ReadFile(path)
	return err == nil && bytes.Contains(content, []byte(`"`+conflist.GuardType+`"`))
}

// users gives what names the guard: the files of all conf dirs, those included
// that are quarantined or put aside, and would be back with one command; and the
// attachments that runtimes cached, by which CRI-O and podman remove pods.
func (r Request) users() []string {
	var found []string
	for _, dir := range append([]string{r.Site.ConfDir}, r.elsewhere()...) {
		found = append(found, namedIn(dir, comesBack)...)
	}
	dirs := release.CacheDirs()
	if !slices.Contains(dirs, r.Site.CacheDir) {
		dirs = append(dirs, r.Site.CacheDir)
	}
	for _, dir := range dirs {
		for _, path := range filesOf(filepath.Join(dir, "results")) {
			if cached(path) {
				found = append(found, path)
			}
		}
	}
	return found
}

// elsewhere gives the other conf dirs of the node, as their links lead.
func (r Request) elsewhere() (dirs []string) {
	for _, dir := range r.Elsewhere {
		if real := resolved(dir); real != r.Site.ConfDir && !slices.Contains(dirs, real) {
			dirs = append(dirs, real)
		}
	}
	return dirs
}

// guardedElsewhere gives the files of other conf dirs that have the guard now.
func (r Request) guardedElsewhere() (found []string) {
	for _, dir := range r.elsewhere() {
		found = append(found, namedIn(dir, loadable)...)
	}
	return found
}

// namedIn gives the files of a conf dir that name the guard, and its drop-ins that
// do, of those whose name counts. What somebody keeps under another name is his.
func namedIn(dir string, counts func(string) bool) (found []string) {
	dropIns, _ := filepath.Glob(filepath.Join(dir, "*", "*.conf"))
	for _, path := range append(filesOf(dir), dropIns...) {
		if counts(path) && names(path) {
			found = append(found, path)
		}
	}
	return found
}

// comesBack tells the files that a runtime loads, or would after one command.
func comesBack(path string) bool {
	_, number, away := strings.Cut(filepath.Base(path), quarantine.Suffix)
	return loadable(path) || strings.HasSuffix(path, aside) || away && !strings.Contains(number, ".")
}

// cached reports whether a cached attachment was made by a list with the guard.
func cached(path string) bool {
	content, err := os.ReadFile(path)
	var entry struct {
		Config []byte `json:"config"`
	}
	return err == nil && json.Unmarshal(content, &entry) == nil &&
		bytes.Contains(entry.Config, []byte(`"`+conflist.GuardType+`"`))
}

// filesOf gives the regular files of a folder, and none of one that is not there.
func filesOf(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			paths = append(paths, path)
		}
	}
	return paths
}
