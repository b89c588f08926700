// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// others gives the entries that no runtime loads, in the order of names.
func others(entries []fs.DirEntry, found []File) []File {
	var files []File
	for _, e := range entries {
		if loadable(e) {
			continue
		}
		f := File{Name: e.Name(), Verdict: NotLoadable, Reason: whyNot(e, found)}
		if info, err := e.Info(); err == nil {
			f.ModTime = info.ModTime()
		}
		files = append(files, f)
	}
	return files
}

func whyNot(e fs.DirEntry, found []File) string {
	if e.IsDir() {
		return whyNotFolder(e.Name(), found)
	}
	ext := filepath.Ext(e.Name())
	switch lower := strings.ToLower(ext); {
	case ext == "", ext == ".":
		return "is not loaded: the name has no extension"
	case lower != ext && slices.Contains(extensions(), lower):
		return fmt.Sprintf("is not loaded: the name ends in %s, and extensions are case sensitive", ext)
	}
	return fmt.Sprintf("is not loaded: the name ends in %s, and runtimes load .conf, .conflist and .json", ext)
}

func whyNotFolder(name string, found []File) string {
	for _, c := range found {
		for _, dropIn := range c.DropIns {
			if filepath.Dir(dropIn) == name {
				return fmt.Sprintf("is a folder of drop-ins, whose .conf files add plugins to %s", c.Name)
			}
		}
	}
	return "is not loaded: it is a folder"
}
