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

// Holder returns a live record of the given boot with the given cookie, or nil if
// there is none. The kernel never reuses a cookie within one boot, so the namespace
// belongs to that record. If several records have the cookie, because the sandbox has
// several attachments, Holder prefers one of containerID.
//
// Holder reads every live record, which takes about 9 µs of CPU time each
// (BenchmarkHolder): 9 ms for 1,000 records, 93 ms for 10,000. Callers use it only if
// the attachment's own record proves nothing. Holder skips records that cannot be
// read. If the context ends first, the error wraps the context's error.
func (l Ledger) Holder(ctx context.Context, cookie uint64, bootID, containerID string) (*Record, error) {
	if cookie == 0 {
		return nil, nil
	}
	dir, err := os.Open(filepath.Join(string(l), live))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find holder of cookie: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("find holder of cookie: %w", err)
	}
	// Searching the text first is ten times as fast as parsing every record.
	text := []byte(`"cookie":` + strconv.FormatUint(cookie, 10) + ",")
	buffer := make([]byte, 64<<10)
	var holder *Record
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return holder, fmt.Errorf("find holder of cookie: %w", err)
		}
		data := readAt(dir, name, buffer)
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

// readAt returns the content of a file in dir, up to the length of the buffer, or nil
// if the file cannot be read, for instance because its record was retired meanwhile.
// os.ReadFile would make twice as many system calls.
func readAt(dir *os.File, name string, buffer []byte) []byte {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
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
