// SPDX-License-Identifier: Apache-2.0

package netstate

import "golang.org/x/sys/unix"

// The tests that need a node are in package netstate_test, as checktest imports
// this package. These are the parts that they cannot reach otherwise.

// Enter is enter.
func (n *Netns) Enter(f func() error) error { return enter(int(n.file.Fd()), f) }

// EnterDescriptor is enter for any descriptor.
func EnterDescriptor(fd int, f func() error) error { return enter(fd, f) }

// Descriptor gives the open descriptor.
func (n *Netns) Descriptor() int { return int(n.file.Fd()) }

// Settled is settled.
func Settled[R any](dump func() (R, error)) (R, error) { return settled(dump) }

// ForgetStrict makes the kernel answer as it does before Linux 4.20.
func (l *Live) ForgetStrict() error {
	l.strict = false
	return unix.SetsockoptInt(l.socket.Socket.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 0)
}

// Strict reports whether the kernel filters address dumps.
func (l *Live) Strict() bool { return l.strict }
