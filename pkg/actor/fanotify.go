// SPDX-License-Identifier: Apache-2.0

package actor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Write is a change of a file, or the start of a program.
type Write struct {
	Time time.Time // when it was read
	PID  int       // of the process that did it; 0 if it is in a PID namespace that this one does not see
	Path string
	Name string // of a change in a directory: the last element of Path
}

// A group is an instance of fanotify(7), which unlike inotify names the process. It takes
// CAP_SYS_ADMIN.
type group struct {
	file *os.File
	dir  string // whose files the events name; "" if they have descriptors
}

// newGroup opens an instance. Flags are those of fanotify_init(2) beside FAN_CLASS_NOTIF.
func newGroup(flags uint) (*group, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|flags, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open fanotify: %w", err)
	}
	return &group{file: os.NewFile(uintptr(fd), "fanotify")}, nil
}

func (g *group) close() { _ = g.file.Close() }

// mark reports events of a path from now on.
func (g *group) mark(flags uint, mask uint64, path string) error {
	raw, err := g.file.SyscallConn()
	if err != nil {
		return err
	}
	var markErr error
	err = raw.Control(func(fd uintptr) { markErr = unix.FanotifyMark(int(fd), flags, mask, unix.AT_FDCWD, path) })
	if err = errors.Join(err, markErr); err != nil {
		return fmt.Errorf("watch who writes to %s: %w", path, err)
	}
	return nil
}

// events reads groups until ctx ends, and then closes them and the channel.
func events(ctx context.Context, groups ...*group) <-chan Write {
	writes := make(chan Write, 1024)
	var reading sync.WaitGroup
	if len(groups) == 0 {
		reading.Go(func() { <-ctx.Done() })
	}
	for _, g := range groups {
		reading.Go(func() { g.read(ctx, writes) })
	}
	go func() {
		reading.Wait()
		close(writes)
	}()
	return writes
}

func (g *group) read(ctx context.Context, writes chan<- Write) {
	defer context.AfterFunc(ctx, g.close)()
	defer g.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := g.file.Read(buffer)
		if err != nil {
			return
		}
		for _, w := range g.parse(buffer[:n]) {
			select {
			case writes <- w:
			default: // a reader that is late knows less, and waits for nothing
			}
		}
	}
}

// parse reads events of fanotify(7), and closes their descriptors.
func (g *group) parse(b []byte) (all []Write) {
	for len(b) >= int(unix.FAN_EVENT_METADATA_LEN) {
		size, header := int(binary.NativeEndian.Uint32(b)), int(binary.NativeEndian.Uint16(b[6:]))
		if size < unix.FAN_EVENT_METADATA_LEN || size > len(b) || header > size {
			return all
		}
		w := Write{Time: time.Now(), PID: int(int32(binary.NativeEndian.Uint32(b[20:])))}
		if fd := int(int32(binary.NativeEndian.Uint32(b[16:]))); fd >= 0 {
			w.Path, _ = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			_ = unix.Close(fd)
		}
		if g.dir != "" {
			g.name(&w, b[header:size])
		}
		if w.Path != "" && w.PID != os.Getpid() {
			all = append(all, w)
		}
		b = b[size:]
	}
	return all
}

// name reads struct fanotify_event_info_fid with the handle of the directory and the name.
func (g *group) name(w *Write, info []byte) {
	const header, fsid, handle = 4, 8, 8
	for len(info) >= header {
		size := int(binary.NativeEndian.Uint16(info[2:]))
		if size < header || size > len(info) {
			return
		}
		if info[0] == unix.FAN_EVENT_INFO_TYPE_DFID_NAME && size >= header+fsid+handle {
			h := info[header+fsid : size]
			n := handle + int(binary.NativeEndian.Uint32(h))
			if n > len(h) {
				return
			}
			name, _, _ := bytes.Cut(h[n:], []byte{0})
			w.Name = string(name)
			w.Path = filepath.Join(g.dir, w.Name)
		}
		info = info[size:]
	}
}

// WatchFiles reports who creates, writes, renames and removes files of directories, until
// ctx ends. A directory that does not exist is not watched later either. It takes
// CAP_SYS_ADMIN and Linux 5.9, or 6.6 where the directories are on overlayfs, as in a node that
// is a container.
func WatchFiles(ctx context.Context, dirs ...string) (<-chan Write, error) {
	const mask = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_CLOSE_WRITE | unix.FAN_MODIFY | unix.FAN_EVENT_ON_CHILD
	// An event has the handle of its directory. A group for each directory needs no
	// name_to_handle_at(2), which overlayfs does not support.
	var groups []*group
	for _, dir := range dirs {
		g, err := newGroup(unix.FAN_REPORT_DIR_FID | unix.FAN_REPORT_NAME)
		if err == nil {
			groups, g.dir = append(groups, g), dir
			err = g.mark(unix.FAN_MARK_ADD|unix.FAN_MARK_ONLYDIR, mask, dir)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			for _, g := range groups {
				g.close()
			}
			return nil, err
		}
	}
	return events(ctx, groups...), nil
}

// WatchSysctls reports who writes to files of this mount of /proc, until ctx ends: sysctls
// among them. Processes that have mounted a procfs of their own, in a PID namespace of
// their own, are not seen. It takes CAP_SYS_ADMIN and Linux 4.20.
func WatchSysctls(ctx context.Context) (<-chan Write, error) {
	g, err := newGroup(0)
	if err != nil {
		return nil, err
	}
	if err := g.mark(unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_MODIFY, "/proc"); err != nil {
		g.close()
		return nil, err
	}
	return events(ctx, g), nil
}
