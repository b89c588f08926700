// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/cni-guard/cni-guard/pkg/conflist/lock"
)

// Lock keeps two commands from working at once on a node: those that have the same
// record, and those, quarantine and restore included, that change the same conf dir.
// Both locks are files that only root can open. Lock makes the folder of the record
// where there is none. The kernel releases the locks when the process ends, however
// it ends.
func Lock(dir, confDir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, explain("make folder of the record "+dir, dir, err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explain("lock "+path, path, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another guardctl installs or removes the guard at this moment: wait until it is done (fuser " + path + " names it)")
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	conf := func() {}
	if _, statErr := os.Stat(confDir); statErr == nil { // the plan says what is to be done where it is not there
		if conf, err = lock.ConfDir(confDir); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, viewPrefix+"*"))
	for _, view := range left { // of a command that was killed
		_ = os.RemoveAll(view)
	}
	return func() {
		conf()
		_ = f.Close()
	}, nil
}
