// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Holder returns a live record of the boot that has the cookie, or nil where there
// is none. A cookie is never given twice within one boot, so the namespace is that
// record's. Where several records have the cookie, one of containerID is preferred:
// a sandbox may have several attachments.
//
// It reads every live record, at some 9 µs of processor time each (BenchmarkHolder):
// 9 ms with 1,000 of them, 93 ms with 10,000. Only calls that the attachment's own
// record does not settle pay for it. A record that cannot be read is no evidence and
// is skipped. Where the context ends first the error wraps its error.
func (l Ledger) Holder(ctx context.Context, cookie uint64, bootID, containerID string) (*Record, error) {
	if cookie == 0 {
		return nil, nil
	}
	folder, err := os.Open(filepath.Join(string(l), live))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find holder of cookie: %w", err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("find holder of cookie: %w", err)
	}
	// The text is searched before the record is parsed, which takes ten times as long.
	text := []byte(`"cookie":` + strconv.FormatUint(cookie, 10) + ",")
	buffer := make([]byte, 64<<10)
	var holder *Record
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return holder, fmt.Errorf("find holder of cookie: %w", err)
		}
		data := readAt(folder, name, buffer)
		if !bytes.Contains(data, text) {
			continue
		}
		r, err := parseRecord(data)
		if err != nil || r.Cookie != cookie || r.BootID != bootID {
			continue
		}
		if r.ContainerID == containerID {
			return r, nil
		}
		holder = r
	}
	return holder, nil
}

// readAt returns what a file of the folder has, up to the length of the buffer; nil
// where it cannot be read, as when its record was retired meanwhile. os.ReadFile
// makes twice the system calls.
func readAt(folder *os.File, name string, buffer []byte) []byte {
	fd, err := unix.Openat(int(folder.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, buffer)
	if err != nil {
		return nil
	}
	return buffer[:n]
}
