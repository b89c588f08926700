// SPDX-License-Identifier: Apache-2.0

package killed

import "golang.org/x/sys/unix"

// olderCalls are those that newer architectures have as the at variants only.
func olderCalls() map[uint64]call {
	return map[uint64]call{
		unix.SYS_MKDIR: {"mkdir", true}, unix.SYS_RENAME: {"rename", true}, unix.SYS_LINK: {"link", true},
		unix.SYS_SYMLINK: {"symlink", true}, unix.SYS_CREAT: {"creat", true}, unix.SYS_UNLINK: {"unlink", false},
		unix.SYS_RMDIR: {"rmdir", false}, unix.SYS_CHMOD: {"chmod", false}, unix.SYS_CHOWN: {"chown", false}, unix.SYS_LCHOWN: {"lchown", false},
	}
}

// skipCall has the kernel skip the call that the thread is about to make.
func skipCall(tid int) error {
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	r.Orig_rax = ^uint64(0)
	return unix.PtraceSetRegs(tid, &r)
}

// setResult returns the call that ends another result.
func setResult(tid int, result int64) error {
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	r.Rax = uint64(result)
	return unix.PtraceSetRegs(tid, &r)
}
