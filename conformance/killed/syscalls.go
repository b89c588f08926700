// SPDX-License-Identifier: Apache-2.0

package killed

import (
	"maps"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The stops of a call, as in ptrace_syscall_info (Linux 5.3).
const (
	entering = 1
	exiting  = 2
)

// info is struct ptrace_syscall_info as it is at the beginning of a call.
type info struct {
	op     uint8
	_      [3]uint8
	arch   uint32
	ip, sp uint64
	nr     uint64
	args   [6]uint64
}

func syscallOf(tid int) (info, error) {
	var i info
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(i), uintptr(unsafe.Pointer(&i)), 0, 0)
	if errno != 0 {
		return i, errno
	}
	return i, nil
}

// A call is one that changes files.
type call struct {
	name    string
	noSpace bool // it can fail with ENOSPC
}

// calls returns the calls of all architectures.
func calls() map[uint64]call {
	all := map[uint64]call{
		unix.SYS_WRITE: {"write", true}, unix.SYS_PWRITE64: {"pwrite", true}, unix.SYS_WRITEV: {"writev", true},
		unix.SYS_COPY_FILE_RANGE: {"copy_file_range", true}, unix.SYS_SENDFILE: {"sendfile", true},
		unix.SYS_OPENAT: {"openat", true}, unix.SYS_FTRUNCATE: {"ftruncate", true}, unix.SYS_FALLOCATE: {"fallocate", true},
		unix.SYS_RENAMEAT: {"renameat", true}, unix.SYS_RENAMEAT2: {"renameat2", true},
		unix.SYS_LINKAT: {"linkat", true}, unix.SYS_SYMLINKAT: {"symlinkat", true}, unix.SYS_MKDIRAT: {"mkdirat", true},
		unix.SYS_FSYNC: {"fsync", true}, unix.SYS_FDATASYNC: {"fdatasync", true}, unix.SYS_SYNCFS: {"syncfs", true},
		unix.SYS_FSETXATTR: {"fsetxattr", true}, unix.SYS_SETXATTR: {"setxattr", true},
		unix.SYS_UNLINKAT: {"unlinkat", false}, unix.SYS_FCHMOD: {"fchmod", false}, unix.SYS_FCHMODAT: {"fchmodat", false},
		unix.SYS_FCHOWN: {"fchown", false}, unix.SYS_FCHOWNAT: {"fchownat", false}, unix.SYS_UTIMENSAT: {"utimensat", false},
		unix.SYS_TRUNCATE: {"truncate", true},
	}
	maps.Copy(all, olderCalls())
	return all
}

// changing returns the name of a call that changes files, "" of others. Those that
// the disk has no part in do not fail with an error, and what is written to
// standard output and error is no file of the command.
func changing(i info, errno unix.Errno) string {
	c, ok := calls()[i.nr]
	switch {
	case !ok, errno != 0 && !c.noSpace:
		return ""
	case i.nr == unix.SYS_OPENAT && i.args[2]&(unix.O_CREAT|unix.O_TRUNC) == 0:
		return ""
	case i.nr == unix.SYS_WRITE && i.args[0] <= 2:
		return ""
	}
	return c.name
}
