// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cni-guard/cni-guard/pkg/conflist"
)

// readable refuses to judge what this user may not read: configurations are
// mostly readable for root only, as the runtime is, and to call them broken for
// that would be wrong.
func (n *confNode) readable() error {
	names, err := conflist.Names(n.dir)
	if errors.Is(err, fs.ErrPermission) {
		return unreadable(err)
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(n.dir, name))
	}
	dropIns, _ := filepath.Glob(filepath.Join(n.dir, "*", "*.conf"))
	for _, path := range append(paths, dropIns...) {
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // never wait for a pipe
		if errors.Is(err, fs.ErrPermission) {
			return unreadable(err)
		}
		if err == nil {
			_ = f.Close() // nothing was written
		}
	}
	return nil
}

func unreadable(err error) error {
	return &exitError{
		code: cannotTell,
		err:  fmt.Errorf("could not tell what the runtime makes of its configurations: %w", err),
		hint: "run as root of the node",
	}
}
