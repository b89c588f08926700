// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"golang.org/x/sys/unix"
)

// run runs the command and returns its exit code; 128 and the number of the
// signal that ended it, as shells do.
func run(o orders) (int, error) {
	stdout, err := openPort(stdoutPort)
	if err != nil {
		return 0, err
	}
	defer stdout.Close()
	stderr, err := openPort(stderrPort)
	if err != nil {
		return 0, err
	}
	defer stderr.Close()
	for _, pair := range []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp"} {
		o.Env = slices.Insert(o.Env, 0, pair) // what the orders say counts
	}
	process, err := start(o, stdout, stderr)
	if err != nil {
		return 0, err
	}
	status, err := await(process.Pid)
	if err != nil {
		return 0, err
	}
	return status, errors.Join(drain(stdout), drain(stderr))
}

func start(o orders, stdout, stderr *os.File) (*os.Process, error) {
	if err := os.Setenv("PATH", "/usr/sbin:/usr/bin"); err != nil {
		return nil, err
	}
	path, err := exec.LookPath(o.Command[0])
	if err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	defer null.Close()
	process, err := os.StartProcess(path, o.Command, &os.ProcAttr{Dir: o.Dir, Env: o.Env, Files: []*os.File{null, stdout, stderr}})
	if err != nil {
		return nil, fmt.Errorf("start command: %w", err)
	}
	return process, nil
}

// await waits for the command, and meanwhile for the processes whose parents
// ended: the first process inherits them.
func await(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("await command: %w", err)
		case ended == pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case ended == pid && status.Exited():
			return status.ExitStatus(), nil
		}
	}
}
