// SPDX-License-Identifier: Apache-2.0

package load

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// runUntil runs the command and kills it at its stop number n, or lets it end
// where n is 0. A program under ptrace stops before and after every system call,
// so that between two stops no other process sees it change. It returns how
// often the command stopped. The calling goroutine must be locked to its thread.
func runUntil(n int, cmd *exec.Cmd, stdin *os.File) (stops int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(cmd.Path, cmd.Args, &syscall.ProcAttr{
		Env:   cmd.Env,
		Files: []uintptr{stdin.Fd(), null.Fd(), null.Fd()},
		Sys:   &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	if stops, err = trace(pid, n); err != nil {
		return stops, errors.Join(fmt.Errorf("trace %s: %w", cmd.Path, err), syscall.Kill(-pid, syscall.SIGKILL))
	}
	return stops, nil
}

// trace goes from stop to stop of the process and its threads until it is gone.
func trace(pid, n int) (stops int, err error) {
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL
	ready := false
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-pid, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return stops, err
		case tid == pid && (status.Exited() || status.Signaled()):
			return stops, outcomeOf(status, n)
		case !status.Stopped():
			continue // a thread ended
		}
		if !ready {
			if err := unix.PtraceSetOptions(pid, options); err != nil {
				return stops, err
			}
			ready = true
		}
		if isSyscall(status) {
			stops++
			if stops == n {
				if err := unix.Kill(pid, unix.SIGKILL); err != nil {
					return stops, err
				}
				continue
			}
		}
		// ESRCH: the thread is dying with its process.
		if err := unix.PtraceSyscall(tid, deliver(status)); err != nil && !errors.Is(err, unix.ESRCH) {
			return stops, err
		}
	}
}

// isSyscall recognises stops at system calls by what PTRACE_O_TRACESYSGOOD adds.
func isSyscall(s unix.WaitStatus) bool { return s.StopSignal() == unix.SIGTRAP|0x80 }

// deliver returns the signal that the thread is to get: none of those that only
// tell the tracer something, and all that the Go runtime sends itself.
func deliver(s unix.WaitStatus) int {
	switch sig := s.StopSignal(); sig {
	case unix.SIGTRAP, unix.SIGTRAP | 0x80, unix.SIGSTOP:
		return 0
	default:
		return int(sig)
	}
}

// outcomeOf reports a call that was let through and failed.
func outcomeOf(s unix.WaitStatus, n int) error {
	if n == 0 && s.ExitStatus() != 0 {
		return fmt.Errorf("exit status %d", s.ExitStatus())
	}
	return nil
}
