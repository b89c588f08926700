// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A directory is what a directory of configurations has, by path below it: files, and
// what of "../x" lies beside it.
type folder map[string]entry

// An entry is a file, unless it is one of the others.
type entry struct {
	content string
	link    string // where a symbolic link leads
	dir     bool   // a directory, which may have entries of its own
}

// paths are those of a directory, sorted: directories before what is in them.
func (f folder) paths() []string {
	paths := make([]string, 0, len(f))
	for p := range f {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}

// write makes the directory, below which nothing may be yet.
func (f folder) write(dir string) error {
	errs := []error{os.MkdirAll(dir, 0o755)}
	for _, p := range f.paths() {
		errs = append(errs, f[p].write(filepath.Join(dir, p)))
	}
	return errors.Join(errs...)
}

func (e entry) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	switch {
	case e.dir:
		if err := os.Mkdir(path, 0o755); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case e.link != "":
		return os.Symlink(e.link, path)
	}
	return os.WriteFile(path, []byte(e.content), 0o644)
}

// String shows a directory so that somebody can make it again.
func (f folder) String() string {
	var b strings.Builder
	for _, p := range f.paths() {
		switch e := f[p]; {
		case e.dir:
			fmt.Fprintf(&b, "  %q is a folder\n", p)
		case e.link != "":
			fmt.Fprintf(&b, "  %q is a link to %q\n", p, e.link)
		default:
			fmt.Fprintf(&b, "  %q: %q\n", p, e.content)
		}
	}
	return b.String()
}

// without returns the directory less one entry, and what is in it.
func (f folder) without(path string) folder {
	smaller := folder{}
	for p, e := range f {
		if p != path && !strings.HasPrefix(p, path+"/") {
			smaller[p] = e
		}
	}
	return smaller
}

// shrink takes entries away as long as the directory still fails.
func (f folder) shrink(fails func(folder) bool) folder {
	for again := true; again; {
		again = false
		for _, p := range f.paths() {
			if smaller := f.without(p); len(smaller) < len(f) && fails(smaller) {
				f, again = smaller, true
			}
		}
	}
	return f
}
