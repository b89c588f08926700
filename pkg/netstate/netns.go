// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A Netns is what a path turned out to be when it was opened, once. Everything
// later goes through the one descriptor: the path may name something else by
// then. The zero Netns is Unknown.
type Netns struct {
	Path string
	Kind Kind
	What string // NotNetns: what is there instead, a clause for people
	Err  error  // Unknown: why it could not be told

	file *os.File // open for Node and Sandbox, and sometimes for Unknown
}

// OpenNetns opens the path and judges the descriptor: file system, then type of
// namespace, then whether it is the node's. It never blocks, whatever the path
// names, and never returns nil.
func OpenNetns(path string) *Netns {
	n := &Netns{Path: path}
	if path == "" {
		n.Kind = Missing
		return n
	}
	// O_NONBLOCK: opening a FIFO would otherwise wait for a writer.
	fd, err := openRetrying(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		n.Kind, n.What, n.Err = unopened(err)
		return n
	}
	n.file = os.NewFile(uintptr(fd), path)
	n.Kind, n.What, n.Err = judge(fd)
	return n
}

// Close closes the descriptor. A View that was opened stays usable for links,
// addresses and routes, but no longer for sysctls.
func (n *Netns) Close() error {
	if n.file == nil {
		return nil
	}
	return n.file.Close()
}

// openRetrying is open(2), again where a signal interrupted it.
func openRetrying(path string, flags int) (int, error) {
	for {
		fd, err := unix.Open(path, flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// unopened tells what a path is that open(2) refused.
func unopened(err error) (Kind, string, error) {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ESRCH):
		// ESRCH: the process of /proc/PID/ns/net ended during the look-up.
		return Missing, "", nil
	case errors.Is(err, unix.ELOOP):
		return NotNetns, "is a loop of symbolic links", nil
	case errors.Is(err, unix.ENXIO):
		return NotNetns, "is a socket", nil
	case errors.Is(err, unix.ENAMETOOLONG):
		return NotNetns, "is longer than a path can be", nil
	}
	return Unknown, "", fmt.Errorf("open namespace: %w", err)
}
