// SPDX-License-Identifier: Apache-2.0

package site

import (
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// ConfDirs gives where else on the node configurations may lie: the usual folders,
// those of runtime classes, and what lies beside the upstream one, where operators
// put such folders. Not all of them need be there, or be conf dirs.
func (s Site) ConfDirs(root string) []string {
	var dirs []string
	for _, dir := range conflist.ConfDirs() {
		dirs = append(dirs, filepath.Join(root, dir))
	}
	found, _ := filepath.Glob(filepath.Join(root, "/etc/cni/*")) // the pattern is a good one
	for _, dir := range found {
		if isDir(dir) {
			dirs = append(dirs, dir)
		}
	}
	return append(dirs, s.ClassDirs...)
}
