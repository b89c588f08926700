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
	fids bool

	mu   sync.Mutex
	dirs map[string]string // by handle
}

// newGroup opens an instance. Flags are those of fanotify_init(2) beside FAN_CLASS_NOTIF.
func newGroup(flags uint) (*group, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|flags, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE|unix.O_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("open fanotify: %w", err)
	}
	return &group{file: os.NewFile(uintptr(fd), "fanotify"), fids: flags&unix.FAN_REPORT_DIR_FID != 0, dirs: map[string]string{}}, nil
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

// events reads until ctx ends, and then closes the instance and the channel.
func (g *group) events(ctx context.Context) <-chan Write {
	writes := make(chan Write, 1024)
	go func() {
		defer close(writes)
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
	}()
	return writes
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
		if g.fids {
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
			g.mu.Lock()
			dir := g.dirs[string(h[:n])]
			g.mu.Unlock()
			name, _, _ := bytes.Cut(h[n:], []byte{0})
			if dir != "" {
				w.Name = string(name)
				w.Path = filepath.Join(dir, w.Name)
			}
		}
		info = info[size:]
	}
}

// WatchFiles reports who creates, writes, renames and removes files of directories, until
// ctx ends. A directory that does not exist is not watched later either. It takes
// CAP_SYS_ADMIN and Linux 5.9.
func WatchFiles(ctx context.Context, dirs ...string) (<-chan Write, error) {
	g, err := newGroup(unix.FAN_REPORT_DIR_FID | unix.FAN_REPORT_NAME)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if err := g.markDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.close()
			return nil, err
		}
	}
	return g.events(ctx), nil
}

func (g *group) markDir(dir string) error {
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, dir, 0)
	if err != nil {
		return fmt.Errorf("watch who writes to %s: %w", dir, err)
	}
	key := binary.NativeEndian.AppendUint32(nil, uint32(handle.Size()))
	key = binary.NativeEndian.AppendUint32(key, uint32(handle.Type()))
	g.mu.Lock()
	g.dirs[string(append(key, handle.Bytes()...))] = dir
	g.mu.Unlock()
	const mask = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO | unix.FAN_CLOSE_WRITE | unix.FAN_MODIFY | unix.FAN_EVENT_ON_CHILD
	return g.mark(unix.FAN_MARK_ADD|unix.FAN_MARK_ONLYDIR, mask, dir)
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
	return g.events(ctx), nil
}
