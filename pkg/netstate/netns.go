// SPDX-License-Identifier: Apache-2.0

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// A Kind is what a path given as CNI_NETNS leads to. The zero Kind is Unknown.
type Kind uint8

const (
	Unknown  Kind = iota // Netns.Err has the reason
	Missing              // the path is empty, or nothing is there
	NotNetns             // something is there, but no network namespace
	Node                 // the namespace that the runtime and this process run in
	Sandbox              // a network namespace other than the node's
)

// String returns the kind in one or two words.
func (k Kind) String() string {
	switch k {
	case Missing:
		return "missing"
	case NotNetns:
		return "no namespace"
	case Node:
		return "node"
	case Sandbox:
		return "sandbox"
	default:
		return "unknown"
	}
}

// A Netns is what a path led to when it was opened, once. Everything later uses the one
// descriptor, because the path may lead elsewhere by then. The zero Netns is Unknown.
type Netns struct {
	Path string
	Kind Kind
	What string // NotNetns: what is there instead, as a clause for people
	Err  error  // Unknown: the reason

	file *os.File // open for Node and Sandbox, and sometimes for Unknown
}

// OpenNetns opens the path and identifies the descriptor: the file system, then the type
// of namespace, then whether it is the node's. It never blocks, whatever the path names,
// and never returns nil.
func OpenNetns(path string) *Netns {
	n := &Netns{Path: path}
	if path == "" {
		n.Kind = Missing
		return n
	}
	// O_NONBLOCK: opening a FIFO would otherwise wait for a writer.
	fd, err := open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		n.Kind, n.What, n.Err = unopened(err)
		return n
	}
	n.file = os.NewFile(uintptr(fd), path)
	n.Kind, n.What, n.Err = judge(fd)
	return n
}

// Close closes the descriptor. An open View can still be used for links, addresses and
// routes, but not for sysctls.
func (n *Netns) Close() error {
	if n.file == nil {
		return nil
	}
	return n.file.Close()
}

// unopened returns what a path is that open(2) refused.
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

// judge returns what an open descriptor is.
func judge(fd int) (Kind, string, error) {
	var sfs unix.Statfs_t
	if err := unix.Fstatfs(fd, &sfs); err != nil {
		return Unknown, "", fmt.Errorf("judge file system: %w", err)
	}
	if sfs.Type != unix.NSFS_MAGIC {
		return NotNetns, describe(fd, int64(sfs.Type)), nil
	}
	switch network, err := isNetwork(fd); {
	case err != nil:
		return Unknown, "", fmt.Errorf("judge type of namespace: %w", err)
	case !network:
		return NotNetns, "is a namespace of another type", nil
	}
	return nodeOrSandbox(fd)
}

// isNetwork reports whether a file of nsfs is a network namespace. NS_GET_NSTYPE fails
// with ENOTTY before Linux 4.11 (ioctl_ns(2)), and a filter of system calls may refuse it.
// Then setns(2) decides: it fails with EINVAL for a namespace of another type than the one
// it is given. A link below /proc/self/fd does not have the type: it is the path of the
// mount where the namespace is pinned.
func isNetwork(fd int) (bool, error) {
	nstype, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err == nil {
		return nstype == unix.CLONE_NEWNET, nil
	}
	network, entered := canEnter(fd)
	if entered != nil {
		return false, errors.Join(err, entered)
	}
	return network, nil
}

// canEnter reports whether a namespace can be entered as a network namespace. It returns
// an error if that is unknown, such as without CAP_SYS_ADMIN.
func canEnter(fd int) (bool, error) {
	err := enter(fd, func() error { return nil })
	if errors.Is(err, unix.EINVAL) {
		return false, nil
	}
	return err == nil, err
}

// describe returns what is in the place of a namespace. Only the file system
// distinguishes an unmounted pin from a mounted one: both are empty regular files.
func describe(fd int, fsType int64) string {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "is no network namespace"
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "is a directory"
	case unix.S_IFIFO:
		return "is a FIFO"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "is a device"
	}
	switch {
	case fsType == unix.PROC_SUPER_MAGIC:
		return "is another file of procfs"
	case st.Size == 0:
		return "is an empty file: the mount that pinned the namespace there is gone"
	}
	return "is an ordinary file"
}

// nodeOrSandbox compares the namespace with that of this thread, and with that of pid 1
// if it can be read. On a node that is itself a container the two are the same; elsewhere
// neither is ever a pod's. Inode numbers are reused at once, so they identify a namespace
// only while it is held open.
func nodeOrSandbox(fd int) (Kind, string, error) {
	var target unix.Stat_t
	if err := unix.Fstat(fd, &target); err != nil {
		return Unknown, "", fmt.Errorf("identify namespace: %w", err)
	}
	own, err := namespaceID("/proc/thread-self/ns/net")
	if err != nil {
		return judgeByCookie(fd, &target, err)
	}
	if own == idOf(&target) {
		return Node, "", nil
	}
	if init, err := namespaceID("/proc/1/ns/net"); err == nil && init == idOf(&target) {
		return Node, "", nil
	}
	return Sandbox, "", nil
}

// judgeByCookie compares cookies, for a chroot without procfs. Without cookies (before
// Linux 5.14) it compares the namespace with that of a new socket.
func judgeByCookie(fd int, st *unix.Stat_t, cause error) (Kind, string, error) {
	own, ownErr := cookieHere()
	target, targetErr := cookieOf(fd)
	err := errors.Join(ownErr, targetErr)
	same := own == target
	if err != nil {
		var here id
		if here, err = socketID(); err != nil {
			return Unknown, "", fmt.Errorf("identify own namespace: %w", errors.Join(cause, ownErr, targetErr, err))
		}
		same = here == idOf(st)
	}
	if same {
		return Node, "", nil
	}
	return Sandbox, "", nil
}

// socketID identifies the namespace of a new socket (SIOCGSKNS: Linux 4.10; it takes
// CAP_NET_ADMIN), which is the one that this thread is in.
func socketID() (id, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return id{}, fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(socket)
	fd, err := unix.IoctlRetInt(socket, unix.SIOCGSKNS)
	if err != nil {
		return id{}, fmt.Errorf("get namespace of a socket: %w", err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return id{}, fmt.Errorf("identify namespace of a socket: %w", err)
	}
	return idOf(&st), nil
}

// An id identifies a namespace among those that exist now.
type id struct{ dev, ino uint64 }

func idOf(st *unix.Stat_t) id { return id{dev: st.Dev, ino: st.Ino} }

func namespaceID(path string) (id, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return id{}, fmt.Errorf("stat %s: %w", path, err)
	}
	return idOf(&st), nil
}
