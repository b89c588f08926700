// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A Machine is a guest and what it is to run. The zero value of a field that is
// not explained otherwise is a good one.
type Machine struct {
	Kernel   Kernel   // required; see Debian
	Command  []string // required: program, as a path of the guest or from its PATH, and arguments
	Env      []string // "NAME=value", beside PATH, HOME and TMPDIR
	Dir      string   // where the command starts; "" is /
	Files    []File   // what the guest has beside the directories of a bare system
	Programs []string // dynamic programs of the machine, copied with their libraries
	Sysctls  []string // "net.core.somaxconn=500", set before the command starts
	Modules  []string // kernel modules, without what they depend on; see Network

	Init     string        // the static program of conformance/vm/init; "" has the go command build it
	MemoryMB int           // 0 is 1024
	CPUs     int           // 0 is 2; one where OwnTime is set
	OwnTime  bool          // the guest's clock counts what the guest does; see the package
	Deadline time.Duration // for everything, the image included; 0 is ten minutes

	Stdout, Stderr io.Writer // of the command, as it writes; nil discards
	Console        io.Writer // of the kernel; nil discards. An error has its last lines anyway
}

// A File of the guest is a file or a directory of the machine, or a text.
type File struct {
	Path string // in the guest, absolute
	From string // on the machine; a directory comes with all that it holds; "" takes Text
	Text string
}

// A Result is what became of the command.
type Result struct {
	Kernel string        // the release that uname -r gives in the guest
	Exit   int           // of the command; 128 and the number of the signal that ended it
	Took   time.Duration // from the start of qemu to its end
}

// What a run can end with instead of a result. The error that wraps them has
// the last lines of the console.
var (
	ErrPanic    = errors.New("the guest's kernel panicked")
	ErrDeadline = errors.New("the guest was still running at its deadline")
	ErrSilent   = errors.New("the guest ended without a word of its command")
)

// Run boots the machine, runs the command and waits until it is off again. A
// command that fails is a result; an error means that nobody knows.
func Run(ctx context.Context, m Machine) (Result, error) {
	result, err := m.run(ctx)
	if err != nil {
		return result, fmt.Errorf("run virtual machine: %w", err)
	}
	return result, nil
}

func (m Machine) run(ctx context.Context) (Result, error) {
	if len(m.Command) == 0 {
		return Result{}, errors.New("there is no command")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, m.deadline(), fmt.Errorf("%w, after %s", ErrDeadline, m.deadline()))
	defer cancel()
	dir, err := os.MkdirTemp("", "cni-guard-vm-")
	if err != nil {
		return Result{}, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if m.Init == "" {
		m.Init = filepath.Join(dir, "init")
		if err := buildInit(ctx, m.Init); err != nil {
			return Result{}, err
		}
	}
	initramfs := filepath.Join(dir, "initramfs")
	if err := m.writeInitramfs(ctx, initramfs); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // which is why a program that it called was killed
		}
		return Result{}, fmt.Errorf("make initramfs: %w", err)
	}
	return m.boot(ctx, initramfs)
}

func (m Machine) deadline() time.Duration {
	if m.Deadline == 0 {
		return 10 * time.Minute
	}
	return m.Deadline
}
