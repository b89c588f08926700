// SPDX-License-Identifier: Apache-2.0

package installer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Lock keeps two commands from working at once on a node: those that have the same
// record, and those, of the quarantine as well, that change the same conf dir. It
// makes the folder of the record where there is none. The kernel releases it when
// the process ends, however it does.
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
	conf, err := lockFolder(confDir)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	left, _ := filepath.Glob(filepath.Join(dir, viewPrefix+"*"))
	for _, view := range left { // of a command that was killed
		_ = os.RemoveAll(view)
	}
	return func() { _, _ = conf.Close(), f.Close() }, nil
}

// lockFolder locks a conf dir as pkg/conflist/quarantine does. One that is not
// there is for the plan to tell; a nil file can be closed.
func lockFolder(dir string) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, nil
	}
	err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("another guardctl changes it at this moment: wait until it is done (lslocks names it)")
	}
	if err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return d, nil
}
