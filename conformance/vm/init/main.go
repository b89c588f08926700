// SPDX-License-Identifier: Apache-2.0

// Command init is the first process of a guest: it makes a system of the
// initramfs, runs the command, reports how it ended and switches the machine
// off. Package vm puts it there, and reads what it reports.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// orders are written by package vm.
type orders struct {
	Modules, Sysctls, Command, Env []string
	Dir                            string
}

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: only the kernel of a guest starts this program")
		os.Exit(2)
	}
	exit, err := boot()
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	// The ports are drained: whoever reads them has everything.
	if err := report(exit, err); err != nil {
		fmt.Fprintln(os.Stderr, "init: report:", err)
	}
	unix.Sync()
	err = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Fprintln(os.Stderr, "init: power off:", err) // and the kernel panics, as init ends
}

// boot returns the exit code of the command.
func boot() (int, error) {
	if err := mount(); err != nil {
		return 0, err
	}
	if err := reportKernel(); err != nil {
		return 0, err
	}
	text, err := os.ReadFile("/etc/orders.json")
	if err != nil {
		return 0, fmt.Errorf("read orders: %w", err)
	}
	var o orders
	if err := json.Unmarshal(text, &o); err != nil {
		return 0, fmt.Errorf("read orders: %w", err)
	}
	for _, path := range o.Modules {
		if err := load(path); err != nil {
			return 0, err
		}
	}
	for _, setting := range o.Sysctls {
		if err := set(setting); err != nil {
			return 0, err
		}
	}
	if err := loUp(); err != nil {
		return 0, err
	}
	return run(o)
}
