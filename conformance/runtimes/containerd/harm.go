// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cni-guard/cni-guard/conformance/node"
	"github.com/cni-guard/cni-guard/conformance/runtimes"
)

// Lose implements runtimes.Runtime. containerd pins sandboxes; the pin is replaced.
func (c *Containerd) Lose(pod runtimes.Pod, namespace string) error {
	pin := node.Pin{Path: pod.Netns}
	return pin.PointAt(namespace)
}

// KillSandbox implements runtimes.Runtime. The path is a pin, which no process ID
// leads to or from, so there is no ID to reuse.
func (c *Containerd) KillSandbox(pod runtimes.Pod, _ string) error {
	ctx := context.Background()
	_, sandbox, err := c.Inspect(ctx, pod.ID)
	if err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	if err := runtimes.Kill(sandbox.PID); err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	return runtimes.Await(ctx, "containerd to see that the sandbox ended", func(ctx context.Context) (bool, error) {
		ready, err := c.Ready(ctx, pod.ID)
		return !ready, err
	})
}

// PowerOff implements runtimes.Runtime.
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
	// In this order no process is left that could clean up after the others.
	if err := c.Kill(); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	shims, err := c.shims()
	if err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	if err := runtimes.Kill(append(shims, pids...)...); err != nil {
		return fmt.Errorf("power off: %w", err)
	}
	return nil
}

// shims returns the processes that serve this containerd: each has its socket among its
// arguments. The node is a PID namespace of its own.
func (c *Containerd) shims() ([]int, error) {
	return runtimes.Processes(func(args []string) bool {
		return strings.Contains(filepath.Base(args[0]), "containerd-shim") && strings.Contains(strings.Join(args, " "), c.socket())
	})
}
