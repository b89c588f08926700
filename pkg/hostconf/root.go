// SPDX-License-Identifier: Apache-2.0

package hostconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/cni-guard/cni-guard/pkg/hostfs"
)

// A Root is a directory that holds the /etc, /run, /usr and /proc of a node. The
// zero Root is the machine's own root directory. Symbolic links are followed as
// they would be on that node: an absolute one starts at the Root.
type Root struct {
	Dir string
	// Files are the files of the node, without the part Dir of their paths; nil for those
	// of this machine.
	Files hostfs.FS
}

// maxFile bounds what is read of a file: configuration is smaller by far, and a
// file of /run or /proc may be anything.
const maxFile = 1 << 20

// path returns where a path of the node is on this machine.
func (r Root) path(name string) (string, error) {
	if r.Files != nil {
		return filepath.Join("/", r.Dir, name), nil
	}
	dir := r.Dir
	if dir == "" {
		dir = "/"
	}
	return securejoin.SecureJoin(dir, name)
}

// Exists reports whether a path of the node leads to something.
func (r Root) Exists(name string) (bool, error) {
	path, err := r.path(name)
	if err == nil {
		_, err = hostfs.Or(r.Files).Stat(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, cause(err))
	}
	return true, nil
}

// ReadFile returns the contents of a file of the node. The error wraps fs.ErrNotExist if
// there is none, and names the file as the node does.
func (r Root) ReadFile(name string) ([]byte, error) {
	path, err := r.path(name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	data, err := readFile(hostfs.Or(r.Files), path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, cause(err))
	}
	return data, nil
}

// readFile returns the contents of a file, of at most 1 MiB. It does not wait: a FIFO is
// an error.
func readFile(files hostfs.FS, path string) ([]byte, error) {
	file, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case info.Mode()&fs.ModeNamedPipe != 0:
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("is a FIFO")}
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("is larger than %d bytes", maxFile)}
	}
	return data, nil
}

// ReadDir returns the names of the files in a directory of the node, sorted, or none if
// the directory does not exist.
func (r Root) ReadDir(dir string) ([]string, error) {
	entries, err := r.entries(dir)
	return names(slices.DeleteFunc(entries, fs.DirEntry.IsDir)), err
}

func names(entries []fs.DirEntry) []string {
	all := make([]string, len(entries))
	for i, entry := range entries {
		all[i] = entry.Name()
	}
	return all
}

// entries returns what is in a directory of the node; nothing if it does not exist.
func (r Root) entries(dir string) ([]fs.DirEntry, error) {
	path, err := r.path(dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	entries, err := hostfs.Or(r.Files).ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list %s: %w", dir, cause(err))
	}
	return entries, nil
}

// exists reports whether there is anything at the path. The last element is not
// followed: systemd's marks are dangling symbolic links.
func (r Root) exists(name string) bool {
	dir, err := r.path(filepath.Dir(name))
	if err != nil {
		return false
	}
	_, err = hostfs.Or(r.Files).Lstat(filepath.Join(dir, filepath.Base(name)))
	return err == nil
}

// cause removes this machine's path from an error, as the caller names the node's.
func cause(err error) error {
	if inner := new(fs.PathError); errors.As(err, &inner) {
		return inner.Err
	}
	return err
}

// Running reports whether a service of systemd runs on the node, or, where systemd
// does not run, a process of that name in the network namespace of this process. A
// name is compared by its first 15 bytes, as the kernel keeps no more.
func (r Root) Running(service, process string) (bool, error) {
	if r.exists("/run/systemd/units/invocation:" + service) {
		return true, nil
	}
	if r.SystemdBooted() {
		return false, nil
	}
	path, err := r.path("/proc")
	if err != nil {
		return false, err
	}
	files := hostfs.Or(r.Files)
	entries, err := files.ReadDir(path)
	if err != nil {
		return false, fmt.Errorf("list /proc: %w", cause(err))
	}
	process = process[:min(len(process), 15)]
	own, _ := files.Readlink(filepath.Join(path, "self/ns/net"))
	for _, entry := range entries {
		dir := filepath.Join(path, entry.Name())
		comm, err := readFile(files, filepath.Join(dir, "comm"))
		if err != nil || strings.TrimSpace(string(comm)) != process {
			continue // it ended, or is no process
		}
		theirs, err := files.Readlink(filepath.Join(dir, "ns/net"))
		if err != nil || own == "" || theirs == own {
			return true, nil
		}
	}
	return false, nil
}

// SystemdBooted reports whether the node was booted by systemd (sd_booted(3)).
func (r Root) SystemdBooted() bool { return r.exists("/run/systemd/system") }

// Hidden reports whether Root is not a node's but the root of a container that
// runs on one: configuration found there says nothing about the node. A node may
// itself be a container that systemd booted, as those of kind are.
func (r Root) Hidden() bool {
	return !r.SystemdBooted() && (r.exists("/.dockerenv") || r.exists("/run/.containerenv") || r.exists("/run/secrets/kubernetes.io"))
}
