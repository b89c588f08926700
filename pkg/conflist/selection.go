// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"maps"
	"path/filepath"
	"slices"
)

// A Selection is a folder as a runtime sees it.
type Selection struct {
	Dir     string
	Runtime Runtime
	// Files has the loadable ones in the order of the loader, then the others.
	Files []File
	// Err says why the runtime loads nothing at all; nil where it loads something.
	Err error

	read *cache
	lazy bool
}

// A cache holds the files of a folder that were read, by their names.
type cache struct{ byName map[string]looked }

type looked struct {
	List
	refused error
}

// cached returns what was read so far; nothing of the zero Selection.
func (s Selection) cached() *cache {
	if s.read == nil {
		return newCache()
	}
	return s.read
}

func newCache() *cache { return &cache{byName: map[string]looked{}} }

// Effective returns the file whose network pods get as their first, nil if none.
func (s Selection) Effective() *File {
	for i := range s.Files {
		if s.Files[i].Verdict == Selected {
			return &s.Files[i]
		}
	}
	return nil
}

// Find returns the loadable file of a name, nil if there is none.
func (s Selection) Find(name string) *File {
	for i := range s.Files {
		if s.Files[i].Name == name && s.Files[i].Verdict != NotLoadable {
			return &s.Files[i]
		}
	}
	return nil
}

// Read returns what is in a loadable file of the folder, as [ReadAs] does, and reads
// the file if the selection has not. With the zero Kind the rules of parsing are
// those of containerd.
func (s Selection) Read(name string) (List, error) {
	if s.read == nil {
		return lookAs(s.Dir, name, name, s.Runtime)
	}
	l, ok := s.read.byName[name]
	if !ok {
		l.List, l.refused = lookAs(s.Dir, name, name, s.Runtime)
		s.read.byName[name] = l
	}
	return l.List, l.refused
}

// WithRuntime returns what the selection would be by the rules of another runtime of the same
// kind, with the same plugins.
func (s Selection) WithRuntime(r Runtime) Selection {
	s.Runtime = r
	return s.Without()
}

// Without returns what the selection would be if some of the files were not there.
func (s Selection) Without(names ...string) Selection {
	return s.among(s.cached(), func(f File) bool { return f.Verdict == NotLoadable || !slices.Contains(names, f.Name) })
}

// WithRenamed returns what the selection would be if a file of the folder, which may have
// a name that no runtime loads, had another name.
func (s Selection) WithRenamed(from, name string) Selection {
	read := newCache()
	maps.Copy(read.byName, s.cached().byName)
	var l looked
	l.List, l.refused = lookAs(s.Dir, from, name, s.Runtime)
	read.byName[name] = l
	return s.among(read, func(f File) bool { return f.Name != from }, name)
}

// among selects again among the loadable files that stay, and those that come.
func (s Selection) among(read *cache, stays func(File) bool, come ...string) Selection {
	names := come
	var rest []File
	for _, f := range s.Files {
		switch {
		case !stays(f) || slices.Contains(come, f.Name):
		case f.Verdict == NotLoadable:
			rest = append(rest, f)
		default:
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	then := selectAmong(s.Dir, names, s.Runtime, read, s.lazy)
	then.Files = append(then.Files, rest...)
	return then
}

// Path returns the path of a file of the folder.
func (s Selection) Path(name string) string { return filepath.Join(s.Dir, name) }
