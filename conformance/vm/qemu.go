// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// program is what boots the machine, of the Debian package qemu-system-x86.
const program = "qemu-system-x86_64"

// The kernel's command line: messages of weight to the console, and the end of
// the machine, not a restart, for a kernel that is in trouble. no_timer_check: on a busy
// host the emulated timer misses so many ticks that the kernel takes it for broken and
// panics ("IO-APIC + timer doesn't work!").
const commandLine = "console=ttyS0 quiet panic=-1 oops=panic no_timer_check random.trust_cpu=on"

func (m Machine) boot(ctx context.Context, initramfs string) (Result, error) {
	began := time.Now()
	var ports ports
	defer ports.close()
	report, console := &bytes.Buffer{}, &tail{beside: m.Console}
	for _, to := range []struct {
		name string
		port *port
	}{{"console", ports.add(console)}, {"stdout", ports.add(m.Stdout)}, {"stderr", ports.add(m.Stderr)}, {"report", ports.add(report)}} {
		if err := to.port.open(); err != nil {
			return Result{}, fmt.Errorf("open %s: %w", to.name, err)
		}
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, m.args(initramfs, len(ports))...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr, cmd.ExtraFiles = &stderr, ports.guestEnds()
	if err := cmd.Start(); err != nil {
		return Result{}, fmt.Errorf("start %s (Debian package qemu-system-x86): %w", program, err)
	}
	ports.copy()
	err := errors.Join(cmd.Wait(), ports.wait())
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if err != nil {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	result, err := conclude(report, console, err)
	result.Took = time.Since(began)
	return result, err
}

func (m Machine) args(initramfs string, ports int) []string {
	cpus := cmp.Or(m.CPUs, 2)
	if m.OwnTime {
		cpus = 1 // all that qemu can count for
	}
	args := []string{
		"-accel", "tcg", "-machine", "pc", "-cpu", "max", "-smp", strconv.Itoa(cpus),
		"-m", strconv.Itoa(cmp.Or(m.MemoryMB, 1024)), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", m.Kernel.image(), "-initrd", initramfs, "-append", commandLine,
	}
	if m.OwnTime {
		// An instruction takes 2^0 ns; sleep=off does not wait where the guest does.
		args = append(args, "-icount", "shift=0,sleep=off")
	}
	for i := range ports { // ttyS0 and following; ExtraFiles start with descriptor 3
		args = append(args, "-chardev", fmt.Sprintf("socket,id=port%d,fd=%d", i, 3+i), "-serial", fmt.Sprintf("chardev:port%d", i))
	}
	return args
}
