// SPDX-License-Identifier: Apache-2.0

// Package events stores what cni-guard found in a bounded file of JSON lines, so that it
// can be read after the runtime's log has rotated.
package events

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Limit is the size in bytes at which the file is rotated. One older file is kept, so the
// two hold at most about twice as much.
const Limit = 512 << 10

const (
	fileName = "events.jsonl"
	oldName  = "events.jsonl.1"
)

// A File appends to the event file of a state directory. It opens the file for each
// write, because most calls of the plugin write nothing.
type File struct{ Dir string }

// Write appends a line, which must end in a newline, with one write(2), so that lines of
// concurrent processes do not mix.
func (f File) Write(line []byte) (int, error) {
	file, err := f.open()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(f.Dir, 0o700); err == nil {
			file, err = f.open()
		}
	}
	if err != nil {
		return 0, fmt.Errorf("open event file: %w", err)
	}
	defer file.Close()
	if _, err := file.Write(append(newlineIfTorn(file), line...)); err != nil {
		return 0, fmt.Errorf("write event: %w", err)
	}
	f.rotate(file)
	return len(line), nil
}

// newlineIfTorn returns a newline if the last line of the file has none, as after a full
// disk. The next line would otherwise become part of it.
func newlineIfTorn(file *os.File) []byte {
	last := make([]byte, 1)
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return nil
	}
	if _, err := file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return nil
	}
	return []byte("\n")
}

func (f File) open() (*os.File, error) {
	return os.OpenFile(filepath.Join(f.Dir, fileName), os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
}

// rotate renames a file that has reached its limit. Of several processes that see a full
// file, only the one that holds the file's lock renames it, and only while the path still
// names that file, so no newer file is overwritten. A process that does not get the lock
// does not wait, because another one renames the file.
func (f File) rotate(file *os.File) {
	path := filepath.Join(f.Dir, fileName)
	info, err := file.Stat()
	if err != nil || info.Size() < Limit {
		return
	}
	if unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return
	}
	if now, err := os.Stat(path); err == nil && os.SameFile(now, info) {
		_ = os.Rename(path, filepath.Join(f.Dir, oldName)) // the next event tries again
	}
}
