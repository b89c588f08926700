// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"errors"
	"os"
	"slices"
	"syscall"
)

// lasting reports whether an error will be the same a moment later: a file system that
// is read-only, as /proc/sys in most containers.
func lasting(err error) bool { return errors.Is(err, syscall.EROFS) }

// passing reports whether an error says that whoever was asked is slow or busy, and
// nothing of what was asked.
func passing(err error) bool {
	return slices.ContainsFunc([]error{
		context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded,
		// EAGAIN is also what a netlink socket returns whose timeout has passed,
		// ENOBUFS that an answer was lost (netlink(7)).
		syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETIMEDOUT,
		syscall.ENOBUFS, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE,
	}, func(slow error) bool { return errors.Is(err, slow) })
}
