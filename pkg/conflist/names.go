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

// loadable is libcni's ConfFiles. A link is loadable wherever it leads, because the
// directory entry says no more than that it is a link.
func loadable(e fs.DirEntry) bool { return !e.IsDir() && Loadable(e.Name()) }

// Loadable reports whether runtimes load a file of that name: one that ends in .conf,
// .conflist or .json.
func Loadable(name string) bool { return slices.Contains(extensions(), filepath.Ext(name)) }

func extensions() []string { return []string{".conf", ".conflist", ".json"} }

// isList reports whether a file is parsed as a list; other files hold a single plugin.
func isList(name string) bool { return strings.HasSuffix(name, ".conflist") }
