// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// ErrNoNamespaces means that this user may not make a private node here.
var ErrNoNamespaces = errors.New("no private node can be made")

// Start runs this program again, with the arguments, in new namespaces, and
// gives its exit code. The request goes to its standard input. Whatever ends
// this program ends the other, and with it all that lives in its namespaces.
func Start(r Request, stdout, stderr io.Writer, args ...string) (exitCode int, err error) {
	if r.Outside, err = here(); err != nil {
		return 0, err
	}
	request, err := json.Marshal(r)
	if err != nil {
		return 0, fmt.Errorf("start private node: %w", err)
	}
	cmd := again(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		asRoot(cmd.SysProcAttr)
	}
	// The signal of Pdeathsig comes with the end of the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode(), nil
	case errors.As(err, &exit):
		return 0, fmt.Errorf("the self-test ended early: %w", err)
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrNoNamespaces, err)
	}
	return 0, nil
}

// asRoot makes an ordinary user root of a user namespace of his own.
func asRoot(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
}

// again prepares another process of this program.
func again(args ...string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{os.Args[0]}, args...)}
}

// hold starts a process with a network namespace of its own. It ends with its
// standard input, which stop closes.
func hold() (pid int, stop func() error, err error) {
	cmd := again(HoldCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	return cmd.Process.Pid, func() error { return errors.Join(stdin.Close(), cmd.Wait()) }, nil
}

// HoldCommand is the argument with which this program must call Hold.
const HoldCommand = "verify-hold"

// Hold does nothing until its input ends.
func Hold(stdin io.Reader) error {
	_, err := io.Copy(io.Discard, stdin)
	return err
}
