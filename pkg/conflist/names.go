// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names gives the names of a folder that runtimes load, in the order in which
// they do: bytewise, so that "100-b" comes before "20-a", and ".a" before both.
// Nothing is read but the folder. A folder that is not there is an error here,
// other than in libcni.
func Names(dir string) ([]string, error) {
	entries, err := entriesOf(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if loadable(e) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// entriesOf reads a folder in no order.
func entriesOf(dir string) ([]fs.DirEntry, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("read folder of configurations: %w", err)
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("read folder of configurations: %w", err)
	}
	return entries, nil
}

// loadable is libcni's ConfFiles. A link is loadable wherever it leads, for the
// folder says no more than that it is one.
func loadable(e fs.DirEntry) bool {
	if e.IsDir() {
		return false
	}
	switch filepath.Ext(e.Name()) {
	case ".conf", ".conflist", ".json":
		return true
	}
	return false
}

// isList tells the files that are read as a list; others hold a single plugin.
func isList(name string) bool { return strings.HasSuffix(name, ".conflist") }
