// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Lose is of runtimes.Runtime. containerd pins sandboxes; the pin is replaced.
func (c *Containerd) Lose(pod runtimes.Pod, namespace string) error {
	pin := node.Pin{Path: pod.Netns}
	return pin.PointAt(namespace)
}

// KillSandbox is of runtimes.Runtime. The path is a pin, which no process ID
// leads to or from, so there is no ID to reuse.
func (c *Containerd) KillSandbox(pod runtimes.Pod, _ string) error {
	ctx := context.Background()
	_, sandbox, err := c.Inspect(ctx, pod.ID)
	if err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	if err := kill(sandbox.PID); err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	return runtimes.Await(ctx, "containerd to see that the sandbox ended", func(ctx context.Context) (bool, error) {
		ready, err := c.Ready(ctx, pod.ID)
		return !ready, err
	})
}

// PowerOff is of runtimes.Runtime.
func (c *Containerd) PowerOff(ctx context.Context) error {
	ids, err := c.Pods(ctx)
	if err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	var pids []int
	for _, id := range ids {
		_, sandbox, err := c.Inspect(ctx, id)
		if err != nil {
			return fmt.Errorf("power off: %w", err)
		}
		pids = append(pids, sandbox.PID)
	}
	// In this order nobody is left to tidy up behind the others.
	if err := c.Kill(); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	shims, err := c.shims()
	if err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	for _, pid := range append(shims, pids...) {
		if err := kill(pid); err != nil {
			return fmt.Errorf("power off: %w", err)
		}
	}
	return nil
}

// shims finds the processes that were started to serve this containerd: each has
// its socket among its arguments. The node is a pid namespace of its own.
func (c *Containerd) shims() ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		arguments, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		if program, _, _ := strings.Cut(string(arguments), "\x00"); !strings.Contains(filepath.Base(program), "containerd-shim") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && strings.Contains(string(arguments), c.socket()) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func kill(pid int) error {
	if pid <= 1 {
		return nil // the sandbox ended before
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process %d: %w", pid, err)
	}
	return nil
}
