// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// ErrNoNetwork says that a runtime loads nothing from a folder: no pod can start.
var ErrNoNetwork = errors.New("the runtime loads no network")

// errNoRuntime says that the zero Kind selects nothing.
var errNoRuntime = errors.New("no runtime was named whose rules apply")

// Select gives what the runtime makes of a folder. It reads every loadable file,
// those as well that the runtime does not come to, and never waits for one.
// The error says that the folder itself cannot be read, or that r has no Kind.
func Select(dir string, r Runtime) (Selection, error) {
	if r.Kind == 0 {
		return Selection{Dir: dir, Runtime: r}, fmt.Errorf("select in %s: %w", dir, errNoRuntime)
	}
	entries, err := entriesOf(dir)
	if err != nil {
		return Selection{Dir: dir, Runtime: r}, err
	}
	slices.SortFunc(entries, byName)
	var names []string
	for _, e := range entries {
		if loadable(e) {
			names = append(names, e.Name())
		}
	}
	s := selectAmong(dir, names, r, newCache(), false)
	s.Files = append(s.Files, others(entries, s.Files)...)
	return s, nil
}

// SelectLazy selects among the files of a folder that have the given names, in the
// order of the loader. It reads no file that the runtime would not read; those are
// marked Unread, and [Selection.Read] reads them. With the zero Kind it reads
// nothing, and no file has a verdict.
func SelectLazy(dir string, names []string, r Runtime) Selection {
	return selectAmong(dir, names, r, newCache(), true)
}

// selectAmong judges the files of the given names; lazy as Glance does.
func selectAmong(dir string, names []string, r Runtime, read *cache, lazy bool) Selection {
	s := Selection{Dir: dir, Runtime: r, read: read, lazy: lazy}
	found := make([]candidate, 0, len(names))
	decided := r.Kind == 0
	for i, name := range names {
		if lazy && (decided || r.Kind == Containerd && i >= limit(r.MaxConfNum, len(names))) {
			found = append(found, candidate{File: File{Name: name, Unread: true}})
			continue
		}
		l, err := s.Read(name)
		c := candidate{File: l.describe(name), refused: err}
		found = append(found, c)
		if r.Kind == Containerd {
			decided = err != nil
		} else {
			taken, pipe := r.takes(dir, c)
			decided = taken || pipe != nil
		}
	}
	switch r.Kind {
	case 0:
	case Containerd:
		s.Err = judgeContainerd(dir, found, r.MaxConfNum)
	default:
		s.Err = judgeFirstValid(dir, found, r)
	}
	for _, c := range found {
		s.Files = append(s.Files, c.File)
	}
	return s
}

// Effective gives what Select(dir, r).Effective() does, but reads no file that
// the runtime does not, and of the folder only names. The error wraps
// ErrNoNetwork where the runtime would load nothing.
func Effective(dir string, r Runtime) (File, error) {
	if r.Kind == 0 {
		return File{}, fmt.Errorf("select in %s: %w", dir, errNoRuntime)
	}
	names, err := Names(dir)
	if err != nil {
		return File{}, err
	}
	s := SelectLazy(dir, names, r)
	if f := s.Effective(); f != nil {
		return *f, nil
	}
	return File{}, s.Err
}

// A candidate is a loadable file, and why it is refused if it is.
type candidate struct {
	File
	refused error
}

// refuse gives the verdict on a file that cannot be loaded.
func (c *candidate) refuse(more string) {
	c.Verdict, c.Reason = Invalid, fmt.Sprintf("is refused: %v%s", c.refused, more)
}

func (c *candidate) judge(v Verdict, reason string, args ...any) {
	c.Verdict, c.Reason = v, fmt.Sprintf(reason, args...)
}

func byName(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) }

// nothingIn is why a folder without a loadable file selects nothing. A folder that is
// named like a file is easily taken for one.
func nothingIn(dir string, r Runtime) error {
	err := fmt.Errorf("%w: %s finds no .conf, .conflist or .json in %s", ErrNoNetwork, r.Kind.DisplayName(), dir)
	entries, readErr := entriesOf(dir)
	if readErr != nil {
		return err
	}
	slices.SortFunc(entries, byName)
	for _, e := range entries {
		if e.IsDir() && Loadable(e.Name()) {
			return fmt.Errorf("%w; %s is a folder, and must be a file", err, e.Name())
		}
	}
	return err
}

// path names a file of a folder in messages.
func path(dir, name string) string { return filepath.Join(dir, name) }
