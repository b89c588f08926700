// SPDX-License-Identifier: Apache-2.0

package quarantine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
)

// A folder is one of configurations, held by one process at a time.
type folder struct {
	path    string
	f       *os.File
	release func()
}

// open takes hold of the folder. It must be the folder itself: a link could lead
// elsewhere in the next moment, and runtimes watch what it led to when they
// started.
func open(path string) (*folder, error) {
	path = filepath.Clean(path)
	if to, err := os.Readlink(path); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			to = real
		}
		return nil, fmt.Errorf("%s is a link, and is left alone: give the folder that it leads to, --conf-dir %s", path, to)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open folder of configurations: %w", err)
	}
	release, err := lock.ConfDir(path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &folder{path: path, f: f, release: release}, nil
}

// close releases the folder. Nothing was written to it.
func (d *folder) close() {
	_ = d.f.Close()
	d.release()
}

func (d *folder) file(name string) string { return filepath.Join(d.path, name) }

// there tells whether there is something of that name.
func (d *folder) there(name string) bool {
	_, err := os.Lstat(d.file(name))
	return !errors.Is(err, fs.ErrNotExist)
}

// rename gives a file another name, and never replaces one.
func (d *folder) rename(from, to string) error {
	fd := int(d.f.Fd())
	err := unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // NFS for example does not have it
		if d.there(to) {
			return unix.EEXIST
		}
		err = unix.Renameat(fd, from, fd, to)
	}
	return err
}

// sync makes the names last through a power failure.
func (d *folder) sync() error {
	if err := d.f.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w; what was done might not outlive a power failure, so do it again", err)
	}
	return nil
}
