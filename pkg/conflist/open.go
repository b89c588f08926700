// SPDX-License-Identifier: Apache-2.0

package conflist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// tooLarge is the size from which a file is not read. No configuration comes
// near; runtimes have no such limit.
const tooLarge = 16 << 20

// errPipe says that opening the file does not come to an end.
var errPipe = errors.New("it is a pipe, and whoever opens it waits for a writer: remove it")

// readFile reads a file without ever waiting: a runtime that opens a pipe waits
// for its writer, and loads nothing meanwhile.
func readFile(path string) ([]byte, time.Time, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, time.Time{}, unreadable(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read file: %w", err)
	}
	if err := regular(info); err != nil {
		return nil, time.Time{}, err
	}
	content := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(content[len(content):cap(content)])
		content = content[:len(content)+n]
		switch {
		case errors.Is(err, io.EOF):
			return content, info.ModTime(), nil
		case err != nil:
			return nil, time.Time{}, fmt.Errorf("read file: %w", err)
		case len(content) >= tooLarge:
			return nil, time.Time{}, fmt.Errorf("it is larger than %d MiB", tooLarge>>20)
		case len(content) == cap(content):
			content = append(content, 0)[:len(content)]
		}
	}
}

func regular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular() && info.Size() >= tooLarge:
		return fmt.Errorf("it is larger than %d MiB", tooLarge>>20)
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return errors.New("it is a link to a folder")
	case mode&fs.ModeNamedPipe != 0:
		return errPipe
	default:
		return errors.New("it is a device, not a file")
	}
}

// unreadable says of a link that leads nowhere where it leads.
func unreadable(path string, err error) error {
	if to, linkErr := os.Readlink(path); linkErr == nil && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is a link to %s, which is not there: %w", to, fs.ErrNotExist)
	}
	return fmt.Errorf("read file: %w", err)
}
