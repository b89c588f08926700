// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A Request is what to test. It crosses into the private node as JSON.
type Request struct {
	BinDirs []string // where the plugins are, first match first
	Chain   *Chain   // the node's own, or nil

	// NoLoopback says why the runtime of this node calls no loopback plugin: what
	// that would do is then no finding. "" where it calls one, or is unknown.
	NoLoopback string

	Outside identity // where the request was made: not where its steps may run
}

// An identity tells the namespaces of a process from those of another.
type identity struct{ Net, Mount namespace }

type namespace struct{ Dev, Ino uint64 }

// errNotPrivate keeps the steps from a node that somebody needs.
var errNotPrivate = errors.New("these are the namespaces of the node itself; run guardctl verify, which makes private ones")

// here identifies the namespaces of this process.
func here() (identity, error) {
	var id identity
	for path, to := range map[string]*namespace{"/proc/self/ns/net": &id.Net, "/proc/self/ns/mnt": &id.Mount} {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			return id, fmt.Errorf("identify namespace %s: %w", path, err)
		}
		*to = namespace{st.Dev, st.Ino}
	}
	return id, nil
}

// requirePrivate refuses to go on where either namespace is the caller's, or
// the caller did not say which his are.
func (r Request) requirePrivate() error {
	now, err := here()
	switch {
	case err != nil:
		return err
	case r.Outside.Net.Ino == 0 || r.Outside.Mount.Ino == 0:
		return errNotPrivate
	case now.Net == r.Outside.Net || now.Mount == r.Outside.Mount:
		return errNotPrivate
	}
	return nil
}

// Validate refuses directories that are none: a typo must not look like plugins
// that are not installed.
func (r Request) Validate() error {
	if len(r.BinDirs) == 0 {
		return errors.New("no folder is given where the plugins are")
	}
	for _, dir := range r.BinDirs {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("folder %s does not exist", dir)
		case err != nil:
			return fmt.Errorf("look for plugins: %w", err)
		case !info.IsDir():
			return fmt.Errorf("%s is not a folder", dir)
		}
	}
	return nil
}
