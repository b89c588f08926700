// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// A replayFS answers what was recorded, and nothing else: it never looks at the files of
// this machine. The error for a path that was not read when the snapshot was made wraps
// ErrNotRecorded. A path that is not in a directory that was listed does not exist.
type replayFS struct {
	files  *Files
	missed func(question string)
}

var _ hostfs.FS = replayFS{}

// get returns what was recorded about a path; the zero seen if nothing was.
func (r replayFS) get(name string) seen {
	r.files.mu.Lock()
	defer r.files.mu.Unlock()
	if p := r.files.paths[name]; p != nil {
		return *p
	}
	return seen{}
}

// unknown returns the error for something that was not recorded.
func (r replayFS) unknown(op, name string) error {
	if r.isAbsent(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	if r.missed != nil {
		r.missed(op + " " + name)
	}
	return &fs.PathError{Op: op, Path: name, Err: ErrNotRecorded}
}

// isAbsent reports whether it was recorded that there is nothing at a path.
func (r replayFS) isAbsent(name string) bool {
	for parent := filepath.Dir(name); ; name, parent = parent, filepath.Dir(parent) {
		p := r.get(parent)
		switch {
		case p.Dir != nil && p.Dir.Err == nil:
			return p.Dir.find(filepath.Base(name)) == nil
		case p.Dir != nil && errors.Is(p.Dir.Err.err(), fs.ErrNotExist),
			p.Stat != nil && errors.Is(p.Stat.Err.err(), fs.ErrNotExist):
			return true
		case parent == name:
			return false
		}
	}
}

// find returns the entry of a name; nil if there is none.
func (d *dirAnswer) find(name string) *info {
	for i := range d.Entries {
		if d.Entries[i].FileName == name {
			return &d.Entries[i]
		}
	}
	return nil
}

func (s *statAnswer) result() (fs.FileInfo, error) {
	if s.Err != nil || s.Info == nil {
		return nil, s.Err.err()
	}
	return *s.Info, nil
}

// Stat implements FS.
func (r replayFS) Stat(name string) (fs.FileInfo, error) {
	name = filepath.Clean(name)
	p := r.get(name)
	switch {
	case p.Stat != nil && (p.Stat.Info != nil || p.Stat.Err != nil):
		return p.Stat.result()
	case p.Open != nil && p.Open.Err == nil:
		return p.Open.Info, nil
	}
	if i := r.entry(name); i != nil && i.Bits&fs.ModeSymlink == 0 {
		return *i, nil
	}
	return nil, r.unknown("stat", name)
}

// Lstat implements FS.
func (r replayFS) Lstat(name string) (fs.FileInfo, error) {
	name = filepath.Clean(name)
	if p := r.get(name); p.Lstat != nil && (p.Lstat.Info != nil || p.Lstat.Err != nil) {
		return p.Lstat.result()
	}
	if i := r.entry(name); i != nil {
		return *i, nil
	}
	return nil, r.unknown("lstat", name)
}

// entry returns the entry of a path in its directory; nil if that was not listed, or has
// none.
func (r replayFS) entry(name string) *info {
	p := r.get(filepath.Dir(name))
	if p.Dir == nil || p.Dir.Err != nil {
		return nil
	}
	return p.Dir.find(filepath.Base(name))
}

// Readlink implements FS.
func (r replayFS) Readlink(name string) (string, error) {
	name = filepath.Clean(name)
	if p := r.get(name); p.Link != nil {
		return p.Link.Text, p.Link.Err.err()
	}
	return "", r.unknown("readlink", name)
}

// EvalSymlinks implements FS.
func (r replayFS) EvalSymlinks(name string) (string, error) {
	name = filepath.Clean(name)
	if p := r.get(name); p.Real != nil {
		return p.Real.Text, p.Real.Err.err()
	}
	return "", r.unknown("lstat", name)
}

// Same implements FS.
func (r replayFS) Same(a, b string) bool {
	if same, ok := r.get(filepath.Clean(a)).Same[b]; ok {
		return same
	}
	if a != b {
		_ = r.unknown("compare", a) // notes that the answer is not known
	}
	return a == b
}

// ReadDir implements FS.
func (r replayFS) ReadDir(name string) ([]fs.DirEntry, error) {
	name = filepath.Clean(name)
	p := r.get(name)
	if p.Dir == nil {
		return nil, r.unknown("open", name)
	}
	if p.Dir.Err != nil {
		return nil, p.Dir.Err.err()
	}
	entries := make([]fs.DirEntry, 0, len(p.Dir.Entries))
	for _, e := range p.Dir.Entries {
		entries = append(entries, e)
	}
	return entries, nil
}

// Open implements FS.
func (r replayFS) Open(name string) (fs.File, error) {
	name = filepath.Clean(name)
	p := r.get(name)
	switch {
	case p.Open == nil && p.Dir != nil && p.Dir.Err == nil:
		return &replayedFile{open: openAnswer{Info: info{FileName: filepath.Base(name), Bits: fs.ModeDir}}, name: name}, nil
	case p.Open == nil:
		return nil, r.unknown("open", name)
	case p.Open.Err != nil:
		return nil, p.Open.Err.err()
	}
	file := &replayedFile{open: *p.Open, name: name}
	file.content = bytes.NewReader(p.Open.content)
	return file, nil
}

// A replayedFile is a file with the content that was recorded.
type replayedFile struct {
	open    openAnswer
	name    string
	content *bytes.Reader
}

// Stat implements fs.File.
func (f *replayedFile) Stat() (fs.FileInfo, error) { return f.open.Info, nil }

// Read implements fs.File.
func (f *replayedFile) Read(b []byte) (int, error) {
	switch {
	case f.open.Omitted != "":
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: fmt.Errorf("%w: %s", ErrNotRecorded, f.open.Omitted)}
	case f.content != nil && f.content.Len() > 0:
		return f.content.Read(b)
	case f.open.ReadErr != nil:
		return 0, f.open.ReadErr.err()
	case f.content == nil:
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: ErrNotRecorded}
	}
	return f.content.Read(b) // the end of the file
}

// Close implements fs.File.
func (f *replayedFile) Close() error { return nil }
