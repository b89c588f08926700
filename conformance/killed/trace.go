// SPDX-License-Identifier: Apache-2.0

package killed

import (
	"errors"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// A tracer follows a process and its threads from call to call.
type tracer struct {
	pid    int
	n      int // the call to interrupt
	errno  syscall.Errno
	seen   int // calls that change something
	failed int // the thread whose call is to fail
	call   string
}

// trace runs the command to its end. It must be called on a locked thread.
func trace(cmd *exec.Cmd, out *os.File, n int, errno syscall.Errno) (Interruption, error) {
	if cmd.Err != nil {
		return Interruption{}, cmd.Err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return Interruption{}, err
	}
	defer null.Close()
	pid, err := syscall.ForkExec(cmd.Path, cmd.Args, &syscall.ProcAttr{
		Dir: cmd.Dir, Env: cmd.Environ(),
		Files: []uintptr{null.Fd(), out.Fd(), out.Fd()},
		Sys:   &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return Interruption{}, err
	}
	t := &tracer{pid: pid, n: n, errno: errno}
	status, err := t.follow()
	if err != nil {
		return Interruption{}, errors.Join(err, syscall.Kill(-pid, syscall.SIGKILL))
	}
	return Interruption{N: n, Call: t.call, Errno: errno, Exit: status.ExitStatus()}, nil
}

// follow goes from stop to stop until the process is gone.
func (t *tracer) follow() (unix.WaitStatus, error) {
	const options = unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_EXITKILL
	ready := false
	for {
		var status unix.WaitStatus
		tid, err := unix.Wait4(-t.pid, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return status, err
		case tid == t.pid && (status.Exited() || status.Signaled()):
			return status, nil
		case !status.Stopped():
			continue // a thread ended
		}
		if !ready {
			if err := unix.PtraceSetOptions(t.pid, options); err != nil {
				return status, err
			}
			ready = true
		}
		if status.StopSignal() == unix.SIGTRAP|0x80 {
			if err := t.stopped(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return status, err
			}
		}
		// ESRCH: the thread is dying with its process.
		if err := unix.PtraceSyscall(tid, deliver(status)); err != nil && !errors.Is(err, unix.ESRCH) {
			return status, err
		}
	}
}

// stopped looks at a call that begins or ends, and interrupts the one it is to.
func (t *tracer) stopped(tid int) error {
	info, err := syscallOf(tid)
	if err != nil {
		return err
	}
	switch {
	case info.op == exiting && tid == t.failed:
		t.failed = 0
		return setResult(tid, -int64(t.errno))
	case info.op != entering || t.call != "":
		return nil
	}
	name := changing(info, t.errno)
	if name == "" {
		return nil
	}
	if t.seen++; t.seen != t.n {
		return nil
	}
	t.call = name
	if t.errno == 0 {
		return unix.Kill(t.pid, unix.SIGKILL) // before the kernel does anything of the call
	}
	t.failed = tid
	return skipCall(tid)
}

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
