// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// Bounds of the contents of files.
const (
	maxContent    = 1 << 20  // bytes of one file
	maxContents   = 24 << 20 // bytes of all files
	maxDirEntries = 20_000   // of one directory; more is an error
)

// Files are what was read of the files of a node.
type Files struct {
	mu    sync.Mutex
	paths map[string]*seen
	size  int // bytes of all contents
}

// A seen is what was asked about one path. A nil field was not asked.
type seen struct {
	Stat  *statAnswer `json:"stat,omitempty"`
	Lstat *statAnswer `json:"lstat,omitempty"`
	Link  *textAnswer `json:"link,omitempty"` // where it leads
	Real  *textAnswer `json:"real,omitempty"` // the path without symbolic links
	Dir   *dirAnswer  `json:"dir,omitempty"`
	Open  *openAnswer `json:"open,omitempty"`
	// Same are other paths, and whether they lead to the same file.
	Same map[string]bool `json:"same,omitempty"`
}

type statAnswer struct {
	Info *info    `json:"info,omitempty"`
	Err  *failure `json:"error,omitempty"`
}

type textAnswer struct {
	Text string   `json:"text,omitempty"`
	Err  *failure `json:"error,omitempty"`
}

type dirAnswer struct {
	Entries []info   `json:"entries,omitempty"`
	Err     *failure `json:"error,omitempty"`
}

// An openAnswer is a file that was opened. Its content is a file of the bundle of its own.
type openAnswer struct {
	Info    info     `json:"info"`
	Err     *failure `json:"error,omitempty"`   // why it could not be opened
	ReadErr *failure `json:"readErr,omitempty"` // why it could not be read to its end
	Omitted string   `json:"omitted,omitempty"` // why the content is not in the bundle

	content []byte
}

// An info is a fs.FileInfo, and a fs.DirEntry.
type info struct {
	FileName string      `json:"name"`
	Bytes    int64       `json:"size"`
	Bits     fs.FileMode `json:"mode"` // as fs.FileMode has them
	Modified time.Time   `json:"modTime,omitzero"`
}

var (
	_ fs.FileInfo = info{}
	_ fs.DirEntry = info{}
)

// Name implements fs.FileInfo.
func (i info) Name() string { return i.FileName }

// Size implements fs.FileInfo.
func (i info) Size() int64 { return i.Bytes }

// Mode implements fs.FileInfo.
func (i info) Mode() fs.FileMode { return i.Bits }

// ModTime implements fs.FileInfo.
func (i info) ModTime() time.Time { return i.Modified }

// IsDir implements fs.FileInfo.
func (i info) IsDir() bool { return i.Bits.IsDir() }

// Sys implements fs.FileInfo.
func (i info) Sys() any { return nil }

// Type implements fs.DirEntry.
func (i info) Type() fs.FileMode { return i.Bits.Type() }

// Info implements fs.DirEntry.
func (i info) Info() (fs.FileInfo, error) { return i, nil }

func infoOf(f fs.FileInfo) info {
	i := info{FileName: f.Name(), Bytes: f.Size(), Bits: f.Mode(), Modified: f.ModTime().UTC()}
	if year := i.Modified.Year(); year < 1 || year > 9999 { // JSON has no such time
		i.Modified = time.Time{}
	}
	return i
}

// A recordingFS records what is read through it.
type recordingFS struct {
	hostfs.FS
	files *Files
}

// at returns what is recorded about a path. The caller holds the lock.
func (f *Files) at(name string) *seen {
	if f.paths == nil {
		f.paths = map[string]*seen{}
	}
	name = filepath.Clean(name)
	if f.paths[name] == nil {
		f.paths[name] = &seen{}
	}
	return f.paths[name]
}

// note records something about a path.
func (f *Files) note(name string, add func(*seen)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	add(f.at(name))
}

func statOf(i fs.FileInfo, err error) *statAnswer {
	if err != nil {
		return &statAnswer{Err: failureOf(err)}
	}
	of := infoOf(i)
	return &statAnswer{Info: &of}
}

// Stat implements FS.
func (r recordingFS) Stat(name string) (fs.FileInfo, error) {
	i, err := r.FS.Stat(name)
	r.files.note(name, func(p *seen) { p.Stat = statOf(i, err) })
	return i, err
}

// Lstat implements FS.
func (r recordingFS) Lstat(name string) (fs.FileInfo, error) {
	i, err := r.FS.Lstat(name)
	r.files.note(name, func(p *seen) { p.Lstat = statOf(i, err) })
	return i, err
}

// Readlink implements FS.
func (r recordingFS) Readlink(name string) (string, error) {
	to, err := r.FS.Readlink(name)
	r.files.note(name, func(p *seen) { p.Link = &textAnswer{to, failureOf(err)} })
	return to, err
}

// EvalSymlinks implements FS.
func (r recordingFS) EvalSymlinks(name string) (string, error) {
	to, err := r.FS.EvalSymlinks(name)
	r.files.note(name, func(p *seen) { p.Real = &textAnswer{to, failureOf(err)} })
	return to, err
}

// Same implements FS.
func (r recordingFS) Same(a, b string) bool {
	same := r.FS.Same(a, b)
	r.files.note(a, func(p *seen) {
		if p.Same == nil {
			p.Same = map[string]bool{}
		}
		p.Same[b] = same
	})
	return same
}

// ReadDir implements FS.
func (r recordingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := r.FS.ReadDir(name)
	if err == nil && len(entries) > maxDirEntries {
		entries, err = nil, fmt.Errorf("list %s: more than %d entries", name, maxDirEntries)
	}
	answer := &dirAnswer{Err: failureOf(err)}
	for _, e := range entries {
		of := info{FileName: e.Name(), Bits: e.Type()}
		if i, infoErr := e.Info(); infoErr == nil {
			of = infoOf(i)
		}
		answer.Entries = append(answer.Entries, of)
	}
	r.files.note(name, func(p *seen) { p.Dir = answer })
	return entries, err
}

// errNotRegular is the error of a read from what is no regular file. Such a file is not
// opened: the content of a device, a FIFO or a socket does not belong into a bundle, and
// to open a device can have effects.
var errNotRegular = errors.New("is not a regular file")

// Open implements FS.
func (r recordingFS) Open(name string) (fs.File, error) {
	if i, err := r.FS.Stat(name); err == nil && !i.Mode().IsRegular() && !i.IsDir() {
		of := infoOf(i)
		r.files.note(name, func(p *seen) {
			p.Open = &openAnswer{Info: of, ReadErr: failureOf(&fs.PathError{Op: "read", Path: name, Err: errNotRegular})}
		})
		return notOpened{of, name}, nil
	}
	file, err := r.FS.Open(name)
	if err != nil {
		r.files.note(name, func(p *seen) { p.Open = &openAnswer{Err: failureOf(err)} })
		return nil, err
	}
	i, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &recordingFile{File: file, info: infoOf(i), name: name, files: r.files}, nil
}

// A notOpened is a file of which only its kind is known.
type notOpened struct {
	info info
	name string
}

// Stat implements fs.File.
func (f notOpened) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read implements fs.File.
func (f notOpened) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: errNotRegular}
}

// Close implements fs.File.
func (f notOpened) Close() error { return nil }

// A recordingFile records the content that is read, and hands it over when it is closed.
type recordingFile struct {
	fs.File
	info    info
	name    string
	files   *Files
	content []byte
	err     error // of the last read; nil at the end of the file
	ended   bool
}

// Stat implements fs.File.
func (f *recordingFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Read implements fs.File.
func (f *recordingFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	if room := maxContent + 1 - len(f.content); room > 0 {
		f.content = append(f.content, b[:min(n, room)]...)
	}
	switch {
	case errors.Is(err, io.EOF):
		f.ended = true
	case err != nil:
		f.err = err
	}
	return n, err
}

// Close implements fs.File.
func (f *recordingFile) Close() error {
	f.files.keep(f)
	return f.File.Close()
}

// keep records what was read of a file. What an earlier reader saw stays, unless it read
// less.
func (f *Files) keep(file *recordingFile) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.at(file.name)
	if p.Open != nil && p.Open.Err == nil && len(p.Open.content) >= len(file.content) && (p.Open.Omitted == "" || !file.ended) {
		return
	}
	open := &openAnswer{Info: file.info, ReadErr: failureOf(file.err)}
	before := 0
	if p.Open != nil {
		before = len(p.Open.content)
	}
	switch {
	case len(file.content) > maxContent:
		open.Omitted = fmt.Sprintf("it is larger than %d bytes", maxContent)
	case f.size-before+len(file.content) > maxContents:
		open.Omitted = fmt.Sprintf("the files are larger than %d bytes in all", maxContents)
	case !file.ended && file.err == nil:
		open.Omitted, open.content = "it was not read to its end", nil
	default:
		open.content = append([]byte{}, file.content...) // an empty file has one, too
	}
	f.size += len(open.content) - before
	p.Open = open
}
