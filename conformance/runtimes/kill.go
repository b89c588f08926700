// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Processes returns the IDs of the processes of this PID namespace for whose command
// line match returns true. It passes the arguments with the name of the program first.
func Processes(match func(args []string) bool) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && match(strings.Split(string(text), "\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Kill kills processes. One that has ended is no error.
func Kill(pids ...int) error {
	for _, pid := range pids {
		if pid <= 1 {
			continue // the sandbox ended before
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
	}
	return nil
}
