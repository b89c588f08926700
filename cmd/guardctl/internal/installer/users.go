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
	"github.com/cni-guard/cni-guard/pkg/release"
)

// names reports whether a file names the guard as a plugin, or looks like it.
func names(path string) bool {
	content, err := os.ReadFile(path)
	return err == nil && bytes.Contains(content, []byte(`"`+conflist.GuardType+`"`))
}

// users gives what names the guard: the files of the conf dir, those included
// that are quarantined, and would be back with one command; and the attachments
// that runtimes cached, by which CRI-O and podman remove pods.
func (r Request) users() []string {
	var found []string
	for _, path := range filesOf(r.Site.ConfDir) {
		if names(path) && !strings.HasSuffix(path, suffix) {
			found = append(found, path)
		}
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
