// SPDX-License-Identifier: Apache-2.0

package killed

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ntSystemCall is NT_ARM_SYSTEM_CALL, the register set that has the number of the
// call only.
const ntSystemCall = 0x404

// olderCalls are those that newer architectures have as the at variants only.
func olderCalls() map[uint64]call { return nil }

// skipCall has the kernel skip the call that the thread is about to make.
func skipCall(tid int) error {
	nr := int32(-1)
	vec := unix.Iovec{Base: (*byte)(unsafe.Pointer(&nr)), Len: uint64(unsafe.Sizeof(nr))}
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), ntSystemCall, uintptr(unsafe.Pointer(&vec)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// setResult returns the call that ends another result.
func setResult(tid int, result int64) error {
	var r unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &r); err != nil {
		return err
	}
	r.Regs[0] = uint64(result)
	return unix.PtraceSetRegs(tid, &r)
}
