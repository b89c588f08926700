// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/cni-guard/cni-guard/pkg/conflist"
	"github.com/cni-guard/cni-guard/pkg/conflist/quarantine"
)

// namesGuard reports whether a document has a plugin of the guard's type, at any
// depth: Multus has copies of other lists in its own. The type is compared as a parser
// reads it, with escapes resolved and keys folded as encoding/json does; of a key that
// is there several times each value counts. In a document that does not parse the bare
// name is enough: it keeps the plugin, which does no harm.
func namesGuard(doc []byte) bool {
	if !gjson.ValidBytes(doc) {
		return bytes.Contains(bytes.ReplaceAll(doc, []byte{0}, nil), []byte(conflist.GuardType)) // UTF-16 has zeros
	}
	return hasGuard(gjson.ParseBytes(doc))
}

func hasGuard(v gjson.Result) (found bool) {
	if !v.IsObject() && !v.IsArray() {
		return false
	}
	v.ForEach(func(key, value gjson.Result) bool {
		found = strings.EqualFold(key.String(), "type") && value.String() == conflist.GuardType || hasGuard(value)
		return !found
	})
	return found
}

// names reports whether a file names the guard; see namesGuard.
func names(path string) bool {
	content, err := os.ReadFile(path)
	return err == nil && namesGuard(content)
}

// isMultus reports whether a file is of Multus.
func isMultus(path string) bool {
	l, err := conflist.Read(filepath.Dir(path), filepath.Base(path))
	return err == nil && l.Multus()
}

// namedIn returns the files of a conf dir that name the guard, and its drop-ins that
// do, of those whose name counts. A file that somebody keeps under another name is
// nobody's business.
func namedIn(dir string, counts func(string) bool) (found []string) {
	dropIns, _ := filepath.Glob(filepath.Join(dir, "*", "*.conf"))
	for _, path := range append(filesOf(dir), dropIns...) {
		if counts(path) && names(path) {
			found = append(found, path)
		}
	}
	return found
}

// comesBack reports whether a runtime loads a file of that name, or would after one
// command.
func comesBack(path string) bool {
	_, number, away := strings.Cut(filepath.Base(path), quarantine.Suffix)
	return conflist.Loadable(path) || strings.HasSuffix(path, aside) || away && !strings.Contains(number, ".")
}

// filesOf returns the regular files of a folder, and none of one that is not there.
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
