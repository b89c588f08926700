// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// The serial ports, in the order in which package vm gives them to qemu;
// /dev/ttyS0 is the console.
const (
	stdoutPort = "/dev/ttyS1"
	stderrPort = "/dev/ttyS2"
	reportPort = "/dev/ttyS3"
)

// openPort opens a port that changes nothing of what passes.
func openPort(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open port: %w", err)
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("open port %s: %w", path, err)
	}
	return f, nil
}

// drain waits until all that was written has left the machine.
func drain(f *os.File) error {
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TCSBRK, 1); err != nil {
		return fmt.Errorf("drain %s: %w", f.Name(), err)
	}
	return nil
}

func reportKernel() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("ask for the kernel's release: %w", err)
	}
	return say(map[string]any{"kernel": unix.ByteSliceToString(name.Release[:])})
}

// report says how the command ended, or why it did not start.
func report(exit int, err error) error {
	if err != nil {
		return say(map[string]any{"failed": err.Error()})
	}
	return say(map[string]any{"exit": exit})
}

// say writes a line of the report.
func say(line map[string]any) error {
	f, err := openPort(reportPort)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewEncoder(f).Encode(line); err != nil {
		return err
	}
	return drain(f)
}
