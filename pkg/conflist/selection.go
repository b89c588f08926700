// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// ErrNoNetwork is wrapped by the error of a directory from which a runtime loads
// nothing: no pod can start.
var ErrNoNetwork = errors.New("the runtime loads no network")

// errNoRuntime is the error for the zero Kind.
var errNoRuntime = errors.New("no runtime is given whose rules apply")

// A Selection is a config directory with the verdicts of a runtime.
type Selection struct {
	Dir     string
	Runtime Runtime
	// Files are first the loadable ones, in the order of the loader, then the others.
	Files []File
	// Err says why the runtime loads nothing at all; nil if it loads something.
	Err error

	parsed *parsedFiles
	lazy   bool
}

// parsedFiles are the files that were read, by name.
type parsedFiles struct{ byName map[string]parsedFile }

type parsedFile struct {
	List
	refused error // why the runtime refuses it
}

func newParsedFiles() *parsedFiles { return &parsedFiles{byName: map[string]parsedFile{}} }

// Select returns what a runtime makes of a config directory. It reads every loadable
// file, even those that the runtime does not come to, and never blocks. The error says
// that the directory cannot be read, or that r has no Kind.
func Select(dir string, r Runtime) (Selection, error) {
	if r.Kind == 0 {
		return Selection{Dir: dir, Runtime: r}, fmt.Errorf("select in %s: %w", dir, errNoRuntime)
	}
	entries, err := r.readDir(dir)
	if err != nil {
		return Selection{Dir: dir, Runtime: r}, err
	}
	var names []string
	for _, e := range entries {
		if loadable(e) {
			names = append(names, e.Name())
		}
	}
	s := selectAmong(dir, names, r, newParsedFiles(), false)
	s.Files = append(s.Files, notLoadable(entries, s.Files)...)
	return s, nil
}

// SelectLazy selects among the files of a directory with the given names, which are in
// the order of the loader. It does not read files that the runtime would not read: they
// are marked Unread, and [Selection.Read] reads them. With the zero Kind it reads
// nothing, and no file has a verdict.
func SelectLazy(dir string, names []string, r Runtime) Selection {
	return selectAmong(dir, names, r, newParsedFiles(), true)
}

// Effective returns what Select(dir, r).Effective() does, but reads no file that the
// runtime does not read, and only the names of the directory. The error wraps
// ErrNoNetwork if the runtime would load nothing.
func Effective(dir string, r Runtime) (File, error) {
	if r.Kind == 0 {
		return File{}, fmt.Errorf("select in %s: %w", dir, errNoRuntime)
	}
	names, err := r.Names(dir)
	if err != nil {
		return File{}, err
	}
	s := SelectLazy(dir, names, r)
	if f := s.Effective(); f != nil {
		return *f, nil
	}
	return File{}, s.Err
}

func selectAmong(dir string, names []string, r Runtime, parsed *parsedFiles, lazy bool) Selection {
	s := Selection{Dir: dir, Runtime: r, Files: make([]File, len(names)), parsed: parsed, lazy: lazy}
	found := make([]candidate, len(names))
	decided := r.Kind == 0
	for i, name := range names {
		c := &found[i]
		c.File = &s.Files[i]
		if lazy && (decided || r.Kind == Containerd && i >= limit(r.MaxConfNum, len(names))) {
			c.Name, c.Unread = name, true
			continue
		}
		l, err := s.Read(name)
		*c.File, c.refused = l.file(name), err
		if r.Kind == Containerd {
			decided = err != nil
		} else {
			selected, blocked := r.selects(dir, *c)
			decided = selected || blocked != nil
		}
	}
	switch r.Kind {
	case 0:
	case Containerd:
		s.Err = setContainerdVerdicts(dir, found, r.MaxConfNum)
	default:
		s.Err = setFirstValidVerdicts(dir, found, r)
	}
	return s
}

// Effective returns the file whose network is the first that pods get, nil if there is
// none.
func (s Selection) Effective() *File {
	return s.find(func(f *File) bool { return f.Verdict == Selected })
}

// Find returns the loadable file of that name, nil if there is none.
func (s Selection) Find(name string) *File {
	return s.find(func(f *File) bool { return f.Name == name && f.Verdict != NotLoadable })
}

func (s Selection) find(is func(*File) bool) *File {
	for i := range s.Files {
		if is(&s.Files[i]) {
			return &s.Files[i]
		}
	}
	return nil
}

// Path returns the path of a file of the directory.
func (s Selection) Path(name string) string { return filepath.Join(s.Dir, name) }

// Read parses a loadable file of the directory as [ReadAs] does, unless the selection
// has it already. With the zero Kind the rules of parsing are containerd's.
func (s Selection) Read(name string) (List, error) {
	if s.parsed == nil {
		return s.Runtime.read(s.Dir, name, name)
	}
	f, ok := s.parsed.byName[name]
	if !ok {
		f.List, f.refused = s.Runtime.read(s.Dir, name, name)
		s.parsed.byName[name] = f
	}
	return f.List, f.refused
}

// WithRuntime returns what the selection would be by the rules of another runtime of
// the same kind, with the same plugins.
func (s Selection) WithRuntime(r Runtime) Selection {
	s.Runtime = r
	return s.Without()
}

// Without returns what the selection would be without some of the files.
func (s Selection) Without(names ...string) Selection {
	return s.among(s.cached(), func(f File) bool { return f.Verdict == NotLoadable || !slices.Contains(names, f.Name) })
}

// WithRenamed returns what the selection would be if a file of the directory had
// another name. The file may have a name that no runtime loads.
func (s Selection) WithRenamed(from, name string) Selection {
	parsed := newParsedFiles()
	maps.Copy(parsed.byName, s.cached().byName)
	var f parsedFile
	f.List, f.refused = s.Runtime.read(s.Dir, from, name)
	parsed.byName[name] = f
	return s.among(parsed, func(f File) bool { return f.Name != from }, name)
}

// cached returns the files that were read so far; none for the zero Selection.
func (s Selection) cached() *parsedFiles {
	if s.parsed == nil {
		return newParsedFiles()
	}
	return s.parsed
}

// among selects again among the loadable files that stay and those that are added.
func (s Selection) among(parsed *parsedFiles, stays func(File) bool, added ...string) Selection {
	names := added
	var rest []File
	for _, f := range s.Files {
		switch {
		case !stays(f) || slices.Contains(added, f.Name):
		case f.Verdict == NotLoadable:
			rest = append(rest, f)
		default:
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	then := selectAmong(s.Dir, names, s.Runtime, parsed, s.lazy)
	then.Files = append(then.Files, rest...)
	return then
}
